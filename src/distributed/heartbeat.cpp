#include "distributed/heartbeat.h"

#include <fmt/ranges.h>

#include <exception>
#include <utility>

namespace hone::distributed {
namespace {

constexpr std::chrono::milliseconds kPeriod{400};
/// What a thread gets to end: many times what a board that answers takes.
constexpr std::chrono::milliseconds kAnswer{1000};
constexpr const char* kLeft = "left";

std::string ranks_text(const std::vector<int>& ranks) {
  return fmt::format("rank{} {}", ranks.size() > 1 ? "s" : "", fmt::join(ranks, ", "));
}

}  // namespace

Heartbeat::Heartbeat(int rank, int world, Board board) : life_(std::make_shared<Life>()) {
  life_->rank = rank;
  life_->board = std::move(board);
  life_->seen.resize(static_cast<std::size_t>(world));
  life_->heard_at = Clock::now();
  for (Seen& seen : life_->seen) seen.at = life_->heard_at;
  thread_ = std::thread([life = life_] { life->live(); });
}

Heartbeat::~Heartbeat() {
  const bool parted = !thread_.joinable();
  stop();
  if (parted || was_left_) return;
  try {
    life_->board.put(life_->rank, kLeft);
  } catch (const std::exception&) {
    // The board is gone: its host knows of more than this rank could tell.
  }
}

void Heartbeat::stop() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(life_->mutex);
    life_->is_over = true;
    life_->wake.notify_all();
    was_left_ = !life_->wake.wait_for(lock, kAnswer, [this] { return life_->has_ended; });
  }
  if (was_left_)
    thread_.detach();
  else
    thread_.join();
}

void Heartbeat::Life::live() {
  std::unique_lock lock(mutex);
  for (std::int64_t beat = 1; !is_over && !board_gone; ++beat) {
    lock.unlock();
    try {
      board.put(rank, std::to_string(beat));
      look();
      lock.lock();
    } catch (const std::exception&) {
      lock.lock();
      board_gone = Clock::now();
    }
    wake.wait_for(lock, kPeriod, [this] { return is_over; });
  }
  has_ended = true;
  wake.notify_all();
}

void Heartbeat::Life::look() {
  const std::vector<std::string> beats = board.read();
  const std::lock_guard lock(mutex);
  heard_at = Clock::now();
  for (std::size_t other = 0; other < seen.size(); ++other) {
    Seen& of = seen[other];
    if (beats[other] == of.beat) continue;
    of = {beats[other], Clock::now(), beats[other] == kLeft};
  }
}

std::optional<std::string> Heartbeat::missing(std::chrono::milliseconds silence) const {
  const std::lock_guard lock(life_->mutex);
  const Clock::time_point now = life_->board_gone.value_or(Clock::now());
  if (life_->rank != 0 && !life_->board_gone && now - life_->heard_at > silence)
    return fmt::format(
        "rank 0, which the others meet through, was not heard for {:.1f} s: stopped, "
        "or cut off from this machine",
        std::chrono::duration<double>(silence).count());
  std::vector<int> silent, left;
  for (int rank = 0; rank < static_cast<int>(life_->seen.size()); ++rank) {
    const Seen& seen = life_->seen[static_cast<std::size_t>(rank)];
    if (rank == life_->rank) continue;
    if (seen.has_left)
      left.push_back(rank);
    else if (now - seen.at > silence)
      silent.push_back(rank);
  }
  if (!silent.empty())
    return fmt::format("{} gave no sign of life for {:.1f} s: killed, stopped or cut off",
                       ranks_text(silent), std::chrono::duration<double>(silence).count());
  if (life_->board_gone && life_->rank != 0) return "rank 0 is gone, which the others meet through";
  if (!left.empty())
    return fmt::format("{} left the run; its own message says why", ranks_text(left));
  return std::nullopt;
}

}  // namespace hone::distributed
