#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hone::distributed {

/// What ranks tell each other of being alive: a number under each one's name, on rank 0.
struct Board {
  std::function<void(int rank, const std::string& beat)> put;
  /// Of all ranks, by rank. @throws std::exception where the board is gone
  std::function<std::vector<std::string>()> read;
};

/// Says several times a second that this rank is alive, on a thread of its own, and watches whether
/// the others are. A rank in a long computation lives; one that was killed or stopped does not.
class Heartbeat {
 public:
  using Clock = std::chrono::steady_clock;

  Heartbeat(int rank, int world, Board board);
  /// Says that this rank has left, unless it has parted in peace.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// What is known of ranks that are not there, as a sentence that names them, those that are
  /// silent before those that have left; nothing where all are there.
  /// @param silence after which a rank counts as dead
  std::optional<std::string> missing(std::chrono::milliseconds silence) const;

  /// Ends the thread without a word to the others.
  void stop();

 private:
  struct Seen {
    std::string beat;
    Clock::time_point at;
    bool has_left = false;
  };
  void live();
  void look();

  int rank_;
  Board board_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool is_over_ = false;
  std::vector<Seen> seen_;
  std::optional<Clock::time_point> board_gone_;  // nothing is known from then on
  std::thread thread_;
};

}  // namespace hone::distributed
