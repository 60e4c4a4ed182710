// The division of a cgroup, on a directory that looks like one, and on the machine's own.
#include "exec/cgroup.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "exec/test_host.h"
#include "exec/tiers.h"

namespace exec {
namespace {

class CgroupTest : public testing::Test {
 protected:
  CgroupTest() {
    write("cgroup.controllers", "cpuset cpu io memory pids\n");
    write("cgroup.subtree_control", "");
    write("cgroup.type", "domain\n");
    write("cgroup.procs", "10\n11\n");
    make_group("dagy-server");
  }
  void make_group(const std::string& name) {
    std::filesystem::create_directories(directory_.path() + "/own/" + name);
    for (const char* file : {"cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group",
                             "pids.max", "cpu.max"})
      write(name + "/" + file, "");
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(directory_.path() + "/own");
    std::ofstream(directory_.path() + "/own/" + name) << text;
  }
  std::string read(const std::string& name) {
    std::ifstream file(directory_.path() + "/own/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  base::Result<CgroupTree> open(const std::vector<pid_t>& own = {10, 11}) {
    return CgroupTree::open(directory_.path(), "/own", own);
  }

  base::TemporaryDirectory directory_;
};

TEST_F(CgroupTest, ServerAndSpawnerMoveIntoALeaf) {
  auto tree = open();
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(read("dagy-server/cgroup.procs"), "11");  // the last that was written
  EXPECT_EQ(read("cgroup.subtree_control"), "+cpu +memory +pids");
}

TEST_F(CgroupTest, LimitsOfANest) {
  auto tree = open();
  ASSERT_TRUE(tree);
  make_group("dagy-nest-77");
  EXPECT_EQ(tree->put(77, {512u << 20, 100, 250}), 0);
  EXPECT_EQ(read("dagy-nest-77/memory.max"), "536870912");
  EXPECT_EQ(read("dagy-nest-77/memory.swap.max"), "0");
  EXPECT_EQ(read("dagy-nest-77/memory.oom.group"), "1");
  EXPECT_EQ(read("dagy-nest-77/pids.max"), "100");
  EXPECT_EQ(read("dagy-nest-77/cpu.max"), "25000 100000");
  EXPECT_EQ(read("dagy-nest-77/cgroup.procs"), "77");
  EXPECT_NE(tree->put(78, {}), 0);  // a plain directory has no such files
}

TEST_F(CgroupTest, WhatIsMissingIsSaid) {
  EXPECT_NE(open({10}).error().message.find("shares"), std::string::npos);
  write("cgroup.controllers", "hugetlb\n");
  EXPECT_NE(open().error().message.find("controller cpu"), std::string::npos);
  EXPECT_FALSE(CgroupTree::open(directory_.path(), "/none", {}));
}

TEST(Cgroup, OfThisMachine) {
  auto tree = CgroupTree::find();
  if (!tree) GTEST_SKIP() << "absent here: " << tree.error().message;
  pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  EXPECT_EQ(tree->put(pid, {64u << 20, 10, 500}), 0);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  tree->remove(pid);
}

TEST(Tiers, AreThoseOfTheSpecification) {
  using M = model::ExecutionMode;
  EXPECT_EQ(tier_of(M::nano).memory_bytes, 256u << 20);
  EXPECT_EQ(tier_of(M::nano).cpu_millis, 125);
  EXPECT_EQ(tier_of(M::small).memory_bytes, 1u << 30);
  EXPECT_EQ(tier_of(M::xlarge).memory_bytes, std::size_t{12} << 30);
  EXPECT_EQ(tier_of(M::xlarge).cpu_millis, 4000);
}

}  // namespace
}  // namespace exec
