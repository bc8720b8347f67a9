#include "distributed/heartbeat.h"

#include <fmt/ranges.h>

#include <exception>
#include <utility>

namespace hone::distributed {
namespace {

constexpr std::chrono::milliseconds kPeriod{400};
constexpr const char* kLeft = "left";

std::string ranks_text(const std::vector<int>& ranks) {
  return fmt::format("rank{} {}", ranks.size() > 1 ? "s" : "", fmt::join(ranks, ", "));
}

}  // namespace

Heartbeat::Heartbeat(int rank, int world, Board board)
    : rank_(rank), board_(std::move(board)), seen_(static_cast<std::size_t>(world)) {
  for (Seen& seen : seen_) seen.at = Clock::now();
  thread_ = std::thread([this] { live(); });
}

Heartbeat::~Heartbeat() {
  const bool parted = !thread_.joinable();
  stop();
  if (parted) return;
  try {
    board_.put(rank_, kLeft);
  } catch (const std::exception&) {
    // The board is gone: its host knows of more than this rank could tell.
  }
}

void Heartbeat::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Heartbeat::live() {
  std::unique_lock lock(mutex_);
  for (std::int64_t beat = 1; !is_over_ && !board_gone_; ++beat) {
    lock.unlock();
    try {
      board_.put(rank_, std::to_string(beat));
      look();
      lock.lock();
    } catch (const std::exception&) {
      lock.lock();
      board_gone_ = Clock::now();
    }
    wake_.wait_for(lock, kPeriod, [this] { return is_over_; });
  }
}

void Heartbeat::look() {
  const std::vector<std::string> beats = board_.read();
  const std::lock_guard lock(mutex_);
  for (std::size_t rank = 0; rank < seen_.size(); ++rank) {
    Seen& seen = seen_[rank];
    if (beats[rank] == seen.beat) continue;
    seen = {beats[rank], Clock::now(), beats[rank] == kLeft};
  }
}

std::optional<std::string> Heartbeat::missing(std::chrono::milliseconds silence) const {
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = board_gone_.value_or(Clock::now());
  std::vector<int> silent, left;
  for (int rank = 0; rank < static_cast<int>(seen_.size()); ++rank) {
    const Seen& seen = seen_[static_cast<std::size_t>(rank)];
    if (rank == rank_) continue;
    if (seen.has_left)
      left.push_back(rank);
    else if (now - seen.at > silence)
      silent.push_back(rank);
  }
  if (!silent.empty())
    return fmt::format("{} gave no sign of life for {:.1f} s: killed, stopped or cut off",
                       ranks_text(silent), std::chrono::duration<double>(silence).count());
  if (board_gone_ && rank_ != 0) return "rank 0 is gone, which the others meet through";
  if (!left.empty())
    return fmt::format("{} left the run; its own message says why", ranks_text(left));
  return std::nullopt;
}

}  // namespace hone::distributed
