// The main of this room's tests, which is also the spawner that they start.
#include <gtest/gtest.h>

#include <string_view>

#include "base/log.h"
#include "exec/process.h"

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "spawner")
    return exec::run_spawner({argv + 2, argv + argc});
  base::set_log_level(base::LogLevel::off);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
