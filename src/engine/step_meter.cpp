#include "engine/step_meter.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "distributed/exchange.h"
#include "engine/sharding.h"
#include "engine/tensor_classes.h"
#include "engine/tensor_memory.h"
#include "kernels/packed/packed.h"
#include "model/weights.h"

namespace hone::engine {

using torch::Tensor;

namespace {

std::int64_t bytes_of_trained(const Session& session) {
  std::int64_t bytes = 0;
  for (const optim::Parameter& parameter : session.trainable.parameters)
    bytes += static_cast<std::int64_t>(parameter.tensor.nbytes());
  return bytes;
}

std::int64_t bytes_of_frozen(Session& session) {
  if (session.sharding && session.sharding->passes_are_shared())
    return session.sharding->frozen_bytes();
  std::int64_t bytes = 0;
  for (const model::WeightSlot& slot : model::weight_slots(session.decoder)) {
    if (slot.linear != nullptr && slot.linear->packed != nullptr)
      bytes += kernels::size_bytes(*slot.linear->packed);
    else if (!slot.tensor->requires_grad())
      bytes += static_cast<std::int64_t>(slot.tensor->nbytes());
  }
  return bytes;
}

std::int64_t bytes_of_moments(const Session& session) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : session.optimizer.state())
    bytes += static_cast<std::int64_t>(tensor.nbytes());
  return bytes;
}

/// "model.layers.3.self_attn.q_proj.lora_A.weight" gives "q_proj.lora_A", of any layer.
std::string kind_of(const std::string& name) {
  std::string kind = name;
  if (kind.ends_with(".weight")) kind.resize(kind.size() - 7);
  std::size_t begin = kind.size();
  for (int parts = 0; parts < 2 && begin != std::string::npos && begin > 0; ++parts)
    begin = kind.rfind('.', begin - 1);
  return begin == std::string::npos || begin == 0 ? kind : kind.substr(begin + 1);
}

}  // namespace

StepMeter::StepMeter(Session& session)
    : session_(session),
      work_(model_work(session.decoder, session.trainable.parameter_count())),
      peak_flops_(matrix_peak_flops(session.placement.device, session.placement.compute_dtype)) {
  tensor_memory::count();
}

void StepMeter::begin_step() {
  tensor_memory::begin_peak();
  bytes_before_ = tensor_memory::bytes();
}

void StepMeter::end_step(StepReport& report, double seconds) {
  const double waited_s = session_.feed.take_waited_s();
  const PhaseClock::Seconds phases = session_.clock.take();
  data_s_ += waited_s;
  report.extra.emplace_back("time_data_s", waited_s);
  for (std::size_t i = 0; i < phases.size(); ++i)
    report.extra.emplace_back(fmt::format("time_{}_s", kPhaseNames[i]), phases[i]);

  if (session_.placement.device.is_cpu()) {
    const std::int64_t beyond = tensor_memory::peak_bytes() - bytes_before_;
    const std::int64_t activations = std::max<std::int64_t>(0, beyond - gradient_bytes(session_));
    activations_peak_bytes_ = std::max(activations_peak_bytes_, activations);
    report.extra.emplace_back("activations_peak_bytes", activations);
  }
  if (report.document_lengths.empty()) return;
  const double flops = step_flops(work_, {report.document_lengths, report.trained_tokens});
  report.extra.emplace_back("mfu", flops / (seconds * peak_flops_));
  if (steps_++ == 0) return;  // the first one warms up
  flops_ += flops;
  seconds_ += seconds;
}

nlohmann::ordered_json StepMeter::summary() const {
  nlohmann::ordered_json seconds = {{"data", data_s_}};
  for (std::size_t i = 0; i < kPhaseNames.size(); ++i)
    seconds[kPhaseNames[i]] = session_.clock.total()[i];
  nlohmann::ordered_json summary = {{"seconds_by_phase", std::move(seconds)},
                                    {"memory",
                                     {{"weights_bytes", bytes_of_frozen(session_)},
                                      {"trained_bytes", bytes_of_trained(session_)},
                                      {"moments_bytes", bytes_of_moments(session_)},
                                      {"gradients_bytes", gradient_bytes(session_)},
                                      {"activations_peak_bytes", activations_peak_bytes_}}},
                                    {"matrix_peak_flops", peak_flops_}};
  if (seconds_ > 0) summary["mfu"] = flops_ / (seconds_ * peak_flops_);
  return summary;
}

void add_group_norms(const std::vector<optim::Parameter>& parameters,
                     const distributed::Group& group, report::Metrics& metrics) {
  std::map<std::string, double> squares;
  for (const optim::Parameter& parameter : parameters)
    if (const Tensor& gradient = parameter.tensor.grad(); gradient.defined())
      squares[kind_of(parameter.name)] +=
          gradient.to(torch::kFloat64).square().sum().item<double>();
  std::vector<double> sums;
  for (const auto& [kind, square] : squares) sums.push_back(square);
  distributed::sum_numbers(group, sums, "the gradients' norms");
  auto sum = sums.begin();
  for (const auto& [kind, square] : squares)
    metrics.emplace_back("grad_norm/" + kind, std::sqrt(*sum++));
}

}  // namespace hone::engine
