#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
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
  /// silent before those that have left; nothing where all are there. Where the board is silent
  /// that is rank 0, as nothing is known of the others.
  /// @param silence after which a rank counts as dead
  std::optional<std::string> missing(std::chrono::milliseconds silence) const;

  /// Ends the thread without a word to the others. One that waits for the board behind a network
  /// that was cut is left to itself.
  void stop();

 private:
  struct Seen {
    std::string beat;
    Clock::time_point at;
    bool has_left = false;
  };
  /// What the thread works on, and takes with it where it is left.
  struct Life {
    int rank = 0;
    Board board;
    std::mutex mutex;  // guards what follows
    std::condition_variable wake;
    bool is_over = false, has_ended = false;
    std::vector<Seen> seen;
    Clock::time_point heard_at;                   ///< when the board was last read
    std::optional<Clock::time_point> board_gone;  // nothing is known from then on

    void live();
    void look();
  };

  std::shared_ptr<Life> life_;
  std::thread thread_;
  bool was_left_ = false;  ///< the thread hangs, and so would who asked the board for anything
};

}  // namespace hone::distributed
