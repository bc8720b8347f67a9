#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "engine/host_copies.h"
#include "engine/session.h"

namespace hone::engine {

/// Where they stand in what checkpoint::State calls `about`.
inline constexpr const char *kIdentity = "identity", *kRun = "run", *kUpdates = "updates";

/// Writes a run's checkpoints behind it: save() copies what belongs to one into memory, and a
/// thread writes, flushes and hashes it and lets old ones go, while the run goes on. At most one is
/// under way.
///
/// Where ranks keep parts of what is trained, each writes its own files. They tell each other their
/// hashes or what went wrong in check() and wait(), between steps, where no other collective can be
/// under way; then the first writes the manifest and gives the folder its name, or leaves nothing
/// of it. So save(), check(), wait() and settle() are for all ranks to call together.
class CheckpointWriter {
 public:
  /// @param saved_step the step of the checkpoint that the run goes on from, or 0
  explicit CheckpointWriter(distributed::Group group, std::int64_t saved_step);
  /// Waits for what this rank does; what fails then is logged, as nobody else can be told.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Takes the session's state after `session.progress.step` steps. Waits for the checkpoint
  /// before.
  /// @return the name of a tensor that holds a NaN or an infinity on some rank, the same on all:
  ///         then nothing is saved
  /// @throws what writing the one before threw (IoError), and what this one does where
  ///         checkpoint.async_save is off
  [[nodiscard]] std::optional<std::string> save(const Session& session);

  /// Waits until what was taken lies on the disk. @throws what writing it threw
  void wait();
  /// Throws what writing the last one threw, where it has ended; does not wait.
  /// @param is_ending whether a signal has reached this rank: then nothing is thrown on any, as
  ///        settle() will see to it
  void check(bool is_ending);
  /// Waits; what writing it threw is a warning, and its step counts as not saved: for the end of a
  /// run, where it may be written once more.
  void settle();

  /// The step that was taken last; 0 where none was, or where settle() found it not written.
  std::int64_t saved_step() const { return saved_step_; }

 private:
  struct Shared;

  /// What this rank writes of a session: whole tensors the first alone, a part its first keeper.
  std::vector<KeptTensor> own_of(std::vector<KeptTensor> tensors, bool are_moments) const;
  void find_shares(const Session& session);
  void begin_alone(const Session& session);
  void begin_shared(const Session& session);
  bool advance();
  void conclude_parts();
  void conclude_commit();

  distributed::Group group_;
  std::int64_t saved_step_;
  // Which parameters' parts this rank writes, known from the first save on.
  std::optional<bool> is_shared_;
  std::vector<bool> own_weights_, own_moments_;
  HostCopies weights_, moments_;  // what is being written
  std::future<void> under_way_;   // where this rank writes all there is
  std::unique_ptr<Shared> shared_;
};

}  // namespace hone::engine
