// Runs each kept input of the fuzzers once.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

TEST(Fuzz, CelCorpus) {
  int inputs = 0;
  for (const auto& file : std::filesystem::directory_iterator(DAGY_CEL_CORPUS)) {
    SCOPED_TRACE(file.path().string());
    std::ifstream stream(file.path(), std::ios::binary);
    std::string input{std::istreambuf_iterator<char>(stream), {}};
    for (std::size_t cut = 0; cut <= input.size(); cut += 1 + input.size() / 16)
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()),
                             input.size() - cut);
    ++inputs;
  }
  EXPECT_GT(inputs, 10);
}
