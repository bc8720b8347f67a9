#include "engine/rank_guard.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "base/error.h"
#include "unit/engine/rank_sessions.h"

namespace hone::engine {
namespace {

using test::as_ranks;
using test::contains;

TEST(Checksum, ChangesWithEveryBitAndEveryOrder) {
  const Tensor tensor = torch::randn({7, 11}, torch::kFloat32);
  const std::uint64_t before = checksum(tensor);
  auto* bytes = static_cast<std::uint8_t*>(tensor.mutable_data_ptr());
  for (std::size_t bit = 0; bit < 8 * tensor.nbytes(); ++bit) {
    bytes[bit / 8] ^= std::uint8_t(1u << bit % 8);
    ASSERT_NE(checksum(tensor), before) << bit;
    bytes[bit / 8] ^= std::uint8_t(1u << bit % 8);
  }
  EXPECT_EQ(checksum(tensor), before);
  EXPECT_NE(checksum(tensor.flip(0)), before);
  EXPECT_EQ(checksum(tensor.t().contiguous().t()), before)
      << "the numbers count, not where they lie";
}

TEST(Checksum, IsTheSameOnAnyNumberOfThreads) {
  const Tensor tensor = torch::randn({1 << 20}, torch::kFloat32).to(torch::kBFloat16).slice(0, 1);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const std::uint64_t one = checksum(tensor);
  at::set_num_threads(2);
  EXPECT_EQ(checksum(tensor), one);
  at::set_num_threads(threads);
}

/// What all ranks are told where some say something else of the second tensor.
std::string told_of(int world, const std::vector<int>& others) {
  std::string told;
  as_ranks(world, [&](distributed::Group& group) {
    const bool is_other = std::ranges::count(others, group.rank()) > 0;
    const std::vector<Checked> own = {{"same", 0, 4, 1}, {"w", 0, 4, is_other ? 8u : 7u}};
    const std::string message =
        test::message_of<DistributedError>([&] { check_alike(group, own, 12); });
    if (group.rank() == world - 1) told = message;
    group.close();
  });
  return told;
}

TEST(RankGuard, NamesStepTensorAndTheRankThatDiffersFromMost) {
  EXPECT_TRUE(contains(told_of(3, {1}), "step 12: w is not the same on all ranks: rank 1 differs"));
  EXPECT_TRUE(contains(told_of(4, {0, 1, 3}), "rank 2 differs"));
  EXPECT_TRUE(contains(told_of(2, {1}), "rank 0, rank 1 have each their own"));
}

TEST(RankGuard, ComparesPartsWhereSeveralRanksKeepTheSame) {
  // Ranks 0 and 2 keep the first half, 1 and 3 the second.
  for (const bool is_flipped : {false, true})
    as_ranks(4, [&](distributed::Group& group) {
      const std::int64_t begin = group.rank() % 2 * 4;
      std::uint64_t sum = static_cast<std::uint64_t>(begin);
      if (is_flipped && group.rank() == 3) sum ^= 16;
      const std::vector<Checked> own = {{"w", begin, 4, sum}};
      if (!is_flipped) {
        EXPECT_NO_THROW(check_alike(group, own, 1));
      } else {
        EXPECT_TRUE(
            contains(test::message_of<DistributedError>([&] { check_alike(group, own, 1); }),
                     "rank 1, rank 3 have each their own"));
      }
      group.close();
    });
}

TEST(RankGuard, FindsABitThatFlipsInATrainedWeightAndAnotherChoiceOfRows) {
  const test::TempFolder folder;
  const std::vector<std::int64_t> forwards = {0, 1}, backwards = {1, 0};
  std::vector<Session> sessions;
  for (int rank = 0; rank < 3; ++rank)
    sessions.push_back(test::open_tiny_session(folder, "config"));
  as_ranks(3, [&](distributed::Group& group) {
    Session& session = sessions[static_cast<std::size_t>(group.rank())];
    session.group = group;
    datasets::StepFeed::Step rows = {
        .micro_batches = {datasets::make_batch(session.train_data, forwards)}};
    EXPECT_NO_THROW(check_ranks(session, 5, rows));
    const optim::Parameter& parameter = session.trainable.parameters[3];
    auto* words = static_cast<std::uint32_t*>(parameter.tensor.mutable_data_ptr());
    if (group.rank() == 2) words[5] ^= 1;
    std::string message =
        test::message_of<DistributedError>([&] { check_ranks(session, 5, rows); });
    EXPECT_TRUE(
        contains(message, parameter.name + " is not the same on all ranks: rank 2 differs"));
    if (group.rank() == 2) words[5] ^= 1;
    if (group.rank() == 0)
      rows.micro_batches = {datasets::make_batch(session.train_data, backwards)};
    message = test::message_of<DistributedError>([&] { check_ranks(session, 6, rows); });
    EXPECT_TRUE(
        contains(message, "step 6: the choice of rows is not the same on all ranks: rank 0"));
    session.group = {};
    group.close();
  });
}

}  // namespace
}  // namespace hone::engine
