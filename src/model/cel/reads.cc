#include "model/cel/reads.h"

namespace model::cel {

void merge(Reads& reads, const Reads& more) {
  for (const auto& [variable, members] : more) {
    Members& into = reads[variable];
    into.all |= members.all;
    into.names.insert(members.names.begin(), members.names.end());
  }
}

}  // namespace model::cel
