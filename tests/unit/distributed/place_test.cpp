#include "distributed/place.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "support/support.h"

namespace hone::distributed {
namespace {

using Environment = std::map<std::string, std::string>;

Place place_in(const Environment& environment) {
  return find_place([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal_of(const Environment& environment) {
  return test::message_of<DistributedError>([&] { place_in(environment); });
}

TEST(Place, IsOneProcessAloneWhereNobodySaysOtherwise) {
  const Place place = place_in({{"MASTER_ADDR", "node1"}, {"SLURM_JOB_ID", "7"}});
  EXPECT_EQ(place.world, 1);
  EXPECT_EQ(place.rank, 0);
}

TEST(Place, IsWhatTorchrunSays) {
  const Place place = place_in({{"RANK", "5"},
                                {"WORLD_SIZE", "8"},
                                {"LOCAL_RANK", "1"},
                                {"MASTER_ADDR", "node1"},
                                {"MASTER_PORT", "1234"},
                                {"SLURM_PROCID", "0"},
                                {"SLURM_NTASKS", "2"}});
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.world, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.master_addr, "node1");
  EXPECT_EQ(place.master_port, 1234);
}

TEST(Place, LeavesTheStoreToTorchrunWhereThatKeepsIt) {
  Environment job = {
      {"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "1234"}};
  EXPECT_EQ(place_in(job).store_prefix, "");
  job["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  job["TORCHELASTIC_RESTART_COUNT"] = "3";
  EXPECT_EQ(place_in(job).store_prefix, "hone/3/");
}

TEST(Place, IsWhatSlurmSaysAtItsFirstNode) {
  Environment job = {{"SLURM_PROCID", "3"},
                     {"SLURM_NTASKS", "4"},
                     {"SLURM_LOCALID", "1"},
                     {"SLURM_NODELIST", "gpu[03-07,12],login1"},
                     {"SLURM_JOB_ID", "123456"}};
  const Place place = place_in(job);
  EXPECT_EQ(place.rank, 3);
  EXPECT_EQ(place.world, 4);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.master_addr, "gpu03");
  EXPECT_GE(place.master_port, 15000);
  EXPECT_LT(place.master_port, 25000);
  job["SLURM_JOB_ID"] = "123457";
  EXPECT_NE(place_in(job).master_port, place.master_port) << "jobs do not meet at one port";
  job["SLURM_STEP_NUM_TASKS"] = "1";
  job["SLURM_PROCID"] = "0";
  EXPECT_EQ(place_in(job).world, 1) << "a step of one task in a job of four";
}

TEST(Place, IsWhatOpenMpiSays) {
  Environment job = {{"OMPI_COMM_WORLD_RANK", "1"},
                     {"OMPI_COMM_WORLD_SIZE", "2"},
                     {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
  EXPECT_EQ(place_in(job).rank, 1);
  EXPECT_EQ(place_in(job).master_addr, "127.0.0.1");
  job["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_TRUE(test::contains(refusal_of(job), "MASTER_ADDR is not set"));
  job["MASTER_ADDR"] = "10.0.0.1";
  EXPECT_EQ(place_in(job).master_addr, "10.0.0.1");
}

TEST(Place, RefusesWhatContradictsItself) {
  EXPECT_TRUE(test::contains(refusal_of({{"RANK", "4"}, {"WORLD_SIZE", "4"}}), "RANK=4"));
  EXPECT_TRUE(test::contains(refusal_of({{"RANK", "one"}, {"WORLD_SIZE", "4"}}), "RANK=one"));
  EXPECT_TRUE(test::contains(refusal_of({{"WORLD_SIZE", "4"}}), "RANK is not"));
  EXPECT_TRUE(test::contains(refusal_of({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), "MASTER_ADDR"));
  EXPECT_TRUE(test::contains(
      refusal_of(
          {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}}),
      "MASTER_PORT=70000"));
}

TEST(Place, FirstHostOfEveryFormOfAList) {
  EXPECT_EQ(first_host("node7"), "node7");
  EXPECT_EQ(first_host("a,b"), "a");
  EXPECT_EQ(first_host("node[001-128]"), "node001");
  EXPECT_EQ(first_host("rack[2,5]n[10-12].lan,x"), "rack2n10.lan");
}

}  // namespace
}  // namespace hone::distributed
