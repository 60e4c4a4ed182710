// Runs each kept input of the fuzzers once, whole and cut off.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using Fuzzer = int(const std::uint8_t* data, std::size_t size);
extern "C" {
Fuzzer fuzz_cel, fuzz_http, fuzz_json, fuzz_flow_spec;
}

namespace {

void run_corpus(const char* directory, Fuzzer* fuzzer) {
  int inputs = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    SCOPED_TRACE(file.path().string());
    std::ifstream stream(file.path(), std::ios::binary);
    std::string input{std::istreambuf_iterator<char>(stream), {}};
    for (std::size_t cut = 0; cut <= input.size(); cut += 1 + input.size() / 16)
      fuzzer(reinterpret_cast<const std::uint8_t*>(input.data()), input.size() - cut);
    ++inputs;
  }
  EXPECT_GT(inputs, 5);
}

TEST(Fuzz, Cel) {
  run_corpus(DAGY_CORPUS_cel, fuzz_cel);
}
TEST(Fuzz, Http) {
  run_corpus(DAGY_CORPUS_http, fuzz_http);
}
TEST(Fuzz, Json) {
  run_corpus(DAGY_CORPUS_json, fuzz_json);
}
TEST(Fuzz, FlowSpec) {
  run_corpus(DAGY_CORPUS_flow_spec, fuzz_flow_spec);
}

}  // namespace
