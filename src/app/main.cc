// The program: `dagy serve`, `dagy admin …`, `dagy openapi`, and the spawner it starts itself.
#include <cstdlib>
#include <string_view>

#include "exec/process.h"

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "spawner") {
    return exec::run_spawner(std::atoi(argv[2]), argv[3]);
  }
  return 0;
}
