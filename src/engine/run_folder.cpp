#include "engine/run_folder.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/folder_writer.h"
#include "config/load.h"
#include "engine/base_model.h"
#include "engine/load_options.h"
#include "engine/preference_options.h"
#include "engine/run_data.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What hone writes into a run's folder; nothing else there is ever touched.
constexpr const char* kOwnEntries[] = {
    "config.resolved.yaml", "metrics.jsonl", "run.json", "checkpoints", "adapter",
    "loftq_base",           "model",         "quantized"};

bool holds_a_run(const fs::path& folder) {
  for (const char* name : kOwnEntries)
    if (fs::exists(folder / name)) return true;
  return false;
}

void remove_old_run(const fs::path& folder) {
  for (const char* name : kOwnEntries) {
    if (fs::is_directory(folder / name)) {
      checkpoint::remove_folder(folder / name);
    } else {
      fs::remove(folder / name);
    }
  }
}

}  // namespace

std::optional<checkpoint::VerifiedFolder> find_checkpoint(const RunOptions& options,
                                                          const ResumeRequest& resume,
                                                          const checkpoint::Verify& verify) {
  if (!resume.asked) return std::nullopt;
  if (resume.from != "auto") return verify(resume.from);
  return checkpoint::newest_valid(options.train.output_dir, checkpoint::warn_skipped, {}, verify);
}

std::optional<checkpoint::VerifiedFolder> open_run_folder(const RunOptions& options,
                                                          const ResumeRequest& resume,
                                                          const checkpoint::Verify& verify) {
  const fs::path folder = options.train.output_dir;
  make_folder(folder);
  checkpoint::clean_leftovers(folder);
  if (fs::exists(folder / "checkpoints")) checkpoint::clean_leftovers(folder / "checkpoints");
  auto checkpoint = find_checkpoint(options, resume, verify);
  if (resume.asked && !checkpoint)
    log::info("resume  no checkpoint in {} yet; starting from step 1", folder.string());
  if (!resume.asked && holds_a_run(folder)) {
    HONE_CHECK(ConfigError, options.train.overwrite_output_dir,
               "train.output_dir: {} holds a run already. Add --resume auto to go on with it, "
               "train.overwrite_output_dir=true to replace it, or choose another folder",
               folder.string());
    remove_old_run(folder);
  }
  write_file_atomically(folder / "config.resolved.yaml", config::dump(options));
  return checkpoint;
}

json identity_of(const RunOptions& options, const std::string& base_sha256,
                 const std::string& data_sha256, int world) {
  const TrainOptions& train = options.train;
  json identity = {{"base_sha256", base_sha256},
                   {"data_sha256", data_sha256},
                   {"train.method", train.method},
                   {"train.seed", train.seed},
                   {"train.per_device_train_batch_size", train.per_device_train_batch_size},
                   {"train.tokens_per_device_batch", train.tokens_per_device_batch},
                   {"train.gradient_accumulation_steps", train.gradient_accumulation_steps * world},
                   {"data.shuffle", options.data.shuffle},
                   {"data.train_on", options.data.train_on},
                   {"data.prompt_loss_weight", options.data.prompt_loss_weight},
                   {"data.max_length", options.data.max_length.value_or(0)},
                   {"data.overlong", options.data.overlong},
                   {"data.template", options.data.chat_template},
                   {"adapter.trained", options.adapter.trains_adapter()},
                   {"optim.name", options.optim.name}};
  if (const json method = method_identity(options); !method.is_null())
    identity[train.method] = method;
  if (const quant::Recipe recipe = load_options(options.model, {}).quantization;
      recipe.format != quant::Format::kNone)
    identity["model.quantization"] = quant::describe(recipe);
  if (train.precision == "pure_bf16") identity["train.precision"] = train.precision;
  if (options.qat.is_on())
    identity["qat"] = {quant::describe(options.qat.recipe()), options.qat.skip,
                       options.qat.fake_quant_after_n_steps};
  if (const std::string mixture = datasets::mixture_text(options.data); !mixture.empty())
    identity["data.mixture"] = mixture;
  for (const tokenizer::NewToken& token : added_tokens(options.model))
    identity["model.added_tokens"].push_back({token.content, token.special});
  if (const adapters::AdapterOptions& adapter = options.adapter; adapter.relora_steps > 0)
    identity["adapter.relora"] = {adapter.relora_steps, adapter.relora_warmup_steps,
                                  adapter.relora_anneal_steps, adapter.relora_prune_ratio};
  if (train.tokens_per_device_batch <= 0 && train.gradient_accumulation_steps * world > 1 &&
      shares_out_rows(options))
    identity["distributed.balance"] = "rows shared out by their tokens";
  if (options.model.rope_scaling.rope_type)
    identity["model.rope_scaling"] = model::as_config(options.model.rope_scaling);
  return identity;
}

}  // namespace hone::engine
