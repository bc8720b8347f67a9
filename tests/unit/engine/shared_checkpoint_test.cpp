#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <mutex>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/folder_writer.h"
#include "engine/checkpoint_writer.h"
#include "engine/choose_together.h"
#include "engine/kept_tensors.h"
#include "engine/run_checkpoint.h"
#include "unit/engine/rank_sessions.h"

// Checkpoints of ranks that keep parts of what is trained. Ranks are threads with a session each.

namespace hone::engine {
namespace {

namespace fs = std::filesystem;
using test::as_ranks;
using test::contains;
using test::open_tiny_session;
using Texts = std::vector<std::string>;

/// What element i of a tensor is set to: a function of the whole's name and of the place in it.
Tensor numbers_of(const KeptTensor& kept) {
  const std::int64_t begin = kept.part ? kept.part->begin : 0;
  const auto salt = static_cast<std::int64_t>(std::hash<std::string>()(kept.name) % 97);
  return torch::arange(begin + salt, begin + salt + kept.tensor.numel())
      .remainder(251)
      .to(kept.tensor.scalar_type())
      .view(kept.tensor.sizes());
}

std::vector<KeptTensor> all_of(const Session& session) {
  std::vector<KeptTensor> all = trained_of(session);
  const std::vector<KeptTensor> moments = moments_of(session);
  all.insert(all.end(), moments.begin(), moments.end());
  return all;
}

void fill(const Session& session) {
  const torch::NoGradGuard no_grad;
  for (KeptTensor kept : all_of(session)) kept.tensor.copy_(numbers_of(kept));
}

void expect_filled(const Session& session) {
  for (const KeptTensor& kept : all_of(session))
    EXPECT_TRUE(torch::equal(kept.tensor, numbers_of(kept))) << kept.name;
}

struct Kind {
  const char* name;
  Texts overrides;
  bool is_by_element;
};

const Kind kKinds[] = {
    {"AdamW", {"optim.name=adamw", "optim.ema_decay=0.9"}, true},
    {"AdamW8bit", {"optim.name=adamw_8bit", "optim.min_8bit_size=1"}, true},
    {"Sgd", {"optim.name=sgd", "optim.momentum=0"}, true},
    {"Adafactor", {"optim.name=adafactor"}, false},
    {"Muon", {"optim.name=muon"}, false},
};

class SharedCheckpoint : public testing::TestWithParam<Kind> {
 protected:
  test::TempFolder folder_;

  fs::path run() const { return folder_ / "run"; }

  Session session_of(const distributed::Group& group,
                     const std::vector<int>& shares = {1, 1, 1, 1}) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    Session session =
        open_tiny_session(folder_, fmt::format("rank{}", group.rank()), GetParam().overrides);
    session.group = group;
    if (!group.is_alone()) {
      std::vector<int> own(shares.begin(), shares.begin() + group.world());
      if (!GetParam().is_by_element) own.clear();
      test::keep_part(session, group.rank(), group.world(), own);
    }
    return session;
  }
};

TEST_P(SharedCheckpoint, IsReadByAnyNumberOfRanksWhoeverWroteIt) {
  std::int64_t step = 0;
  for (const int world : {1, 4, 2, 1, 3}) {
    ++step;
    as_ranks(world, [&](distributed::Group& group) {
      Session session = session_of(group);
      if (step == 1)
        fill(session);
      else
        load_weights(checkpoint::verify(checkpoint::folder_of_step(run(), step - 1)), session);
      expect_filled(session);
      session.progress.step = step;
      CheckpointWriter writer(group, 0);
      EXPECT_EQ(writer.save(session), std::nullopt);
      writer.wait();
      group.close();
    });
    ASSERT_FALSE(HasFailure()) << "on " << world;
    const auto newest = checkpoint::newest_valid(run());
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->manifest.about["step"], step);
    EXPECT_EQ(newest->manifest.files.contains("trainable.rank-0001-of-0002.safetensors"),
              world == 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, SharedCheckpoint, testing::ValuesIn(kKinds),
                         [](const auto& one) { return std::string(one.param.name); });

using SharedFault = SharedCheckpoint;

// The file of rank 2 alone is larger than files may be.
TEST_P(SharedFault, ADiskThatIsFullForOneRankIsToldToAllAndLeavesNothing) {
  ::signal(SIGXFSZ, SIG_IGN);  // the write then fails with EFBIG
  rlimit unlimited{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  const rlimit limited = {64 << 10, unlimited.rlim_max};
  std::atomic<int> told = 0;
  as_ranks(3, [&](distributed::Group& group) {
    Session session = session_of(group, {1, 1, 30});
    fill(session);
    CheckpointWriter writer(group, 0);
    for (const std::int64_t step : {1, 2, 3}) {
      session.progress.step = step;
      group.barrier("the test");
      if (group.is_first()) ::setrlimit(RLIMIT_FSIZE, step == 2 ? &limited : &unlimited);
      group.barrier("the test");
      EXPECT_EQ(writer.save(session), std::nullopt);
      if (step != 2) {
        writer.wait();
        continue;
      }
      const std::string message = test::message_of<IoError>([&] {
        while (true) writer.check(false);  // as steps do, without waiting
      });
      EXPECT_TRUE(contains(message, "rank 2: "));
      EXPECT_TRUE(contains(message, "File too large"));
      EXPECT_FALSE(contains(message, "rank 1: "));
      ++told;
    }
    group.close();
  });
  EXPECT_EQ(told, 3);
  std::vector<std::string> entries;
  for (const auto& entry : fs::directory_iterator(run() / "checkpoints"))
    entries.push_back(entry.path().filename());
  std::ranges::sort(entries);
  EXPECT_EQ(entries, (Texts{"step-1", "step-3"}));
}

TEST_P(SharedFault, ANaNOnOneRankIsKnownToAllAndNothingIsSaved) {
  std::string poisoned;
  as_ranks(3, [&](distributed::Group& group) {
    Session session = session_of(group, {1, 1, 1});
    fill(session);
    session.progress.step = 1;
    if (group.rank() == 1) {
      const KeptTensor moment = moments_of(session).back();
      moment.tensor.view({-1})[-1] = std::nan("");
      poisoned = moment.name;
    }
    group.barrier("the test");
    CheckpointWriter writer(group, 0);
    EXPECT_EQ(writer.save(session), poisoned);
    writer.wait();
    EXPECT_EQ(writer.saved_step(), 0);
    group.close();
  });
  EXPECT_TRUE(checkpoint::list(run()).empty());
}

TEST_P(SharedFault, ASignalLeavesAFailureToTheEnd) {
  as_ranks(2, [&](distributed::Group& group) {
    Session session = session_of(group, {1, 1});
    session.progress.step = 1;
    CheckpointWriter writer(group, 0);
    if (group.is_first()) folder_.write("run/checkpoints", "a file where a folder should be");
    group.barrier("the test");
    EXPECT_THROW(static_cast<void>(writer.save(session)), IoError);
    if (group.is_first()) fs::remove(run() / "checkpoints");
    group.barrier("the test");
    EXPECT_EQ(writer.save(session), std::nullopt);
    for (int i = 0; i < 50; ++i) writer.check(/*is_ending=*/group.rank() == 1);
    writer.settle();
    EXPECT_EQ(writer.saved_step(), 1);
    group.close();
  });
  EXPECT_TRUE(checkpoint::newest_valid(run()));
}

TEST_P(SharedFault, VerificationIsSharedAndAFlippedByteIsSeenByAll) {
  const auto save = [&](std::int64_t step) {
    as_ranks(2, [&](distributed::Group& group) {
      Session session = session_of(group, {1, 1});
      session.progress.step = step;
      CheckpointWriter writer(group, 0);
      EXPECT_EQ(writer.save(session), std::nullopt);
      writer.wait();
      group.close();
    });
  };
  save(1);
  save(2);
  for (const auto& entry : fs::directory_iterator(checkpoint::folder_of_step(run(), 2))) {
    if (entry.path().filename() == checkpoint::kManifestName) continue;
    std::string bytes = read_file(entry.path());
    const std::string before = bytes;
    bytes.back() ^= 1;
    write_file_atomically(entry.path(), bytes);
    as_ranks(3, [&](distributed::Group& group) {
      std::string reason;
      const auto chosen = choose_together(group, [&](const checkpoint::Verify& verify) {
        return checkpoint::newest_valid(
            run(), [&](const fs::path&, const std::string& why) { reason = why; }, {}, verify);
      });
      ASSERT_TRUE(chosen);
      EXPECT_EQ(chosen->manifest.about["step"], 1);
      if (group.is_first()) {
        EXPECT_TRUE(contains(reason, entry.path().filename()));
      }
      group.close();
    });
    write_file_atomically(entry.path(), before);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, SharedFault, testing::Values(kKinds[0]),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(HostCopies, AreKeptAndFindWhatIsNotFinite) {
  HostCopies copies;
  const Tensor big = torch::arange(300000, torch::kFloat32),
               half = torch::ones({5}, torch::kBFloat16);
  const std::vector<KeptTensor> tensors = {
      {"big", big}, {"half", half}, {"t", big.view({3, -1}).t()}};
  EXPECT_EQ(copies.take(tensors, true), std::nullopt);
  const void* memory = copies.tensors()[0].tensor.const_data_ptr();
  EXPECT_NE(memory, big.const_data_ptr());
  big[123456] += 1;
  EXPECT_EQ(copies.take(tensors, true), std::nullopt);
  EXPECT_EQ(copies.tensors()[0].tensor.const_data_ptr(), memory) << "the same memory again";
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_TRUE(torch::equal(copies.tensors()[i].tensor, tensors[i].tensor));
  for (const double value : {std::nan(""), double(INFINITY), -double(INFINITY)})
    for (const bool copied : {true, false}) {
      half[4] = value;
      EXPECT_EQ(copies.take(tensors, copied), "half");
      half[4] = 3.38e38;  // almost infinite
      EXPECT_EQ(copies.take(tensors, copied), std::nullopt);
    }
}

}  // namespace
}  // namespace hone::engine
