#include "engine/qat.h"

#include "adapters/merge.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/folder_writer.h"
#include "engine/lineage.h"
#include "engine/load_options.h"
#include "model/load.h"
#include "model/name_patterns.h"
#include "tokenizer/tokenizer_save.h"

namespace hone::engine {
namespace {

/// A model of its own that computes what the trained one does, its layers packed.
model::Decoder packed_copy(const model::Decoder& trained) {
  const torch::NoGradGuard no_grad;
  model::Decoder packed = trained;
  model::for_each_linear(packed, [](model::Linear& linear) {
    if (!adapters::pack_fake_quantized(linear) && linear.adapter) adapters::merge_linear(linear);
  });
  adapters::merge_ends(packed);
  return packed;
}

}  // namespace

std::shared_ptr<adapters::FakeQuantization> add_fake_quantization(
    model::Decoder& decoder, const QatOptions& options,
    const std::vector<optim::Parameter>& parameters, std::int64_t total_steps) {
  if (!options.is_on()) return nullptr;
  HONE_CHECK(ConfigError, options.fake_quant_after_n_steps < total_steps,
             "qat.fake_quant_after_n_steps: is {}, and the run has {} steps: it would end before "
             "its weights are packed",
             options.fake_quant_after_n_steps, total_steps);
  HONE_CHECK(ConfigError, !decoder.virtual_tokens,
             "qat.format: virtual tokens (prefix and prompt tuning) are no weights of the model; "
             "nothing that is trained would be packed");
  std::vector<std::string> names;
  model::for_each_linear(decoder,
                         [&](const model::Linear& linear) { names.push_back(linear.name); });
  model::check_patterns("qat.skip", options.skip, names);
  const auto how = std::make_shared<adapters::FakeQuantization>();
  how->recipe = options.recipe();
  how->after_steps = options.fake_quant_after_n_steps;
  for (const optim::Parameter& parameter : parameters) how->parameters.push_back(parameter.tensor);
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (!model::matches_any(options.skip, linear.name))
      adapters::add_fake_quantization(linear, how);
  });
  how->begin_step(0);
  log::info("qat     weights are packed to {} in the forward pass{}", quant::describe(how->recipe),
            how->after_steps > 0 ? fmt::format(", after {} steps without", how->after_steps) : "");
  return how;
}

void save_quantized(Session& session) {
  model::Decoder packed = packed_copy(session.decoder);
  const std::filesystem::path base = resolve_model(session.options.model.base),
                              destination =
                                  std::filesystem::path(session.options.train.output_dir) /
                                  "quantized";
  checkpoint::FolderWriter writer(destination);
  model::save_packed_decoder(packed, writer.folder(), base, packed.compute_dtype);
  const Text& text = session.text;
  if (text.tokenizer && (text.source != base || !text.added.empty()))
    tokenizer::save_tokenizer(*text.tokenizer, text.source, writer.folder());
  writer.commit(
      "model",
      {{"base", base.string()}, {"weights", kept_as(packed)}, {kLineageKey, session.origin()}});
  log::info("saved   {}", destination.string());
}

}  // namespace hone::engine
