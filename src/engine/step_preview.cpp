#include "engine/step_preview.h"

namespace hone::engine {

void preview_step(Session& session, std::int64_t step, const datasets::StepFeed::Step& rows,
                  const std::function<void(const DeviceBatch&)>& look, bool share_prompts) {
  const torch::NoGradGuard no_grad;
  const PhaseClock::Span span = session.clock.measure(Phase::kForward);
  adapters::DropoutState& dropout = *session.trainable.dropout;
  dropout.training = true;
  dropout.step = static_cast<std::uint64_t>(step);
  dropout.first_row = 0;
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    look(to_device(micro_batch, session.decoder.device(), share_prompts));
    dropout.first_row += static_cast<std::uint64_t>(stream_tokens(micro_batch, share_prompts));
  }
  dropout.training = false;
}

}  // namespace hone::engine
