#pragma once

#include <future>
#include <optional>
#include <string>

#include "checkpoint/manifest.h"
#include "engine/session.h"

namespace hone::engine {

/// Writes a run's checkpoints behind it: save() copies what belongs to one into memory, and a
/// thread writes, flushes and hashes it and lets old ones go, while the run goes on. At most one is
/// under way.
class CheckpointWriter {
 public:
  /// @param saved_step the step of the checkpoint that the run goes on from, or 0
  /// @param writes false on ranks that leave it to the first
  explicit CheckpointWriter(std::int64_t saved_step, bool writes = true)
      : saved_step_(saved_step), writes_(writes) {}
  /// Waits; what fails then is logged, as nobody else can be told.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Takes the session's state after `session.progress.step` steps. Waits for the checkpoint
  /// before.
  /// @pre everything in it is finite: see first_non_finite()
  /// @throws what writing the one before threw (IoError), and what this one does where
  ///         checkpoint.async_save is off
  void save(const Session& session);

  /// Waits until what was taken lies on the disk. @throws what writing it threw
  void wait();
  /// Throws what writing the last one threw, where it has ended; does not wait.
  void check();
  /// Waits; what writing it threw is a warning, and its step counts as not saved: for the end of a
  /// run, where it may be written once more.
  void settle() noexcept;

  /// The step that was taken last; 0 where none was, or where settle() found it not written.
  std::int64_t saved_step() const { return saved_step_; }

 private:
  std::future<void> under_way_;
  std::int64_t saved_step_;
  bool writes_;
};

/// The first of the tensors of a checkpoint that holds a NaN or an infinity, by name.
std::optional<std::string> first_non_finite(const Session& session);

/// Makes the session what the checkpoint's was. Later checkpoints of the run's folder, which the
/// run would now overtake, are set aside.
/// @throws CheckpointError naming every setting in which the two runs differ, or tensors that do
///         not fit
void load_checkpoint(const checkpoint::VerifiedFolder& checkpoint, Session& session);

/// Puts a checkpoint's weights and moments into the session, which stays where it is in the data.
/// @throws CheckpointError
void load_weights(const checkpoint::VerifiedFolder& checkpoint, Session& session);

/// Weights and moments of the newest valid checkpoint that checkpoint.save_steps made, or of the
/// run's start. Those that signals made do not count, so that a run that was stopped rolls back as
/// one that never was. A checkpoint of another folder that the run went on from is its start, and
/// the one that it went on from the last resort where its folder has none of these.
/// @return the checkpoint's step
/// @throws CheckpointError where there is none
std::int64_t roll_back(Session& session);

}  // namespace hone::engine
