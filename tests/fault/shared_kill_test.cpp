// A checkpoint that two ranks write, one after the other in one process that is ended with SIGKILL
// before each of its system calls in turn: while the first writes, while the second does, between
// the two and the commit, and within that.
#include "base/error.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/folder_writer.h"
#include "checkpoint/state.h"
#include "fault/child.h"
#include "fault/sample_run.h"
#include "support/support.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::newest_version;

constexpr std::int64_t kElements = 300, kBorder = 120;

void save_shared(const fs::path& run, std::int64_t step, float version) {
  const std::vector<float> values(kElements, version);
  const auto piece = [&](std::int64_t begin, std::int64_t end) {
    const auto size = static_cast<std::size_t>(end - begin);
    return Piece{{"w",
                  io::DType::kF32,
                  {end - begin},
                  reinterpret_cast<const std::byte*>(values.data() + begin),
                  size * sizeof(float)},
                 {kElements},
                 begin};
  };
  StateWriter writer(run, step);
  writer.write({{"version", version}}, {}, {});
  Manifest::Files files;
  for (const int rank : {0, 1}) {
    const Piece own = rank == 0 ? piece(0, kBorder) : piece(kBorder, kElements);
    files.merge(write_parts(writer.folder(), {{step, rank, 2}, {own}, {own}}));
  }
  writer.commit({}, files);
}

TEST(KilledWhileRanksSave, AtEveryMomentTheLastCommittedStepIsGoodAndNothingElseIsLeft) {
  ::setenv("TMPDIR", test::folder_in_memory().c_str(), 1);
  const test::TempFolder folder;
  const fs::path run = folder / "run";
  int killed = 0, old_ones = 0, new_ones = 0;
  for (bool alive = true; alive; ++killed) {
    fs::remove_all(run);
    save_shared(run, 1, 1);
    alive = test::kill_before_system_call(killed, [&] { save_shared(run, 2, 2); });
    const float version = newest_version(run);
    EXPECT_GE(version, 1) << "killed before call " << killed;
    ++(version == 2 ? new_ones : old_ones);
    clean_leftovers(run / "checkpoints");
    test::expect_no_leftovers(run);
    EXPECT_EQ(newest_version(run), version);
    ASSERT_FALSE(testing::Test::HasFailure()) << "killed before call " << killed;
  }
  EXPECT_GT(old_ones, 40);
  EXPECT_GT(new_ones, 1);
}

}  // namespace
}  // namespace hone::checkpoint
