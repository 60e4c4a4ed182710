// One line of the table, of one database.
#pragma once

#include <string>
#include <string_view>

namespace bench {

struct Row {
  std::string work;
  std::string measured;
  std::string goal = "";
  double ratio = 0;  // measured / goal, as time or cost: at most 1 reaches the goal; 0: no goal
};

/// `format` takes one number: "{:.1f} ms". A goal of 0 is none; where more is better (`rate`) the
/// ratio is turned round.
Row row(std::string work, std::string_view format, double measured, double goal = 0);
Row rate_row(std::string work, std::string_view format, double measured, double goal = 0);

/// What this database does not have.
Row absent_row(std::string work);

}  // namespace bench
