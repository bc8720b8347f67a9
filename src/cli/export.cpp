#include <fmt/ranges.h>

#include <algorithm>

#include "adapters/combine.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint/folder_writer.h"
#include "checkpoint/manifest.h"
#include "cli/export_measure.h"
#include "cli/export_sizes.h"
#include "cli/export_source.h"
#include "cli/model_arguments.h"
#include "cli/size_argument.h"
#include "engine/base_model.h"
#include "engine/rope_record.h"
#include "engine/run_lineage.h"
#include "engine/trainable.h"
#include "export/card.h"
#include "export/prepare.h"
#include "model/load.h"
#include "model/rope_config.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using exporting::Target;
using nlohmann::ordered_json;

struct Arguments {
  ExportAsked asked;
  exporting::ExportOptions options;
  std::string output, max_shard_size = "5GB", method = "refuse", tokenizer, chat_template;
  std::int64_t rank = 0, count = 100;
  adapters::Combination combination;
  MeasureArguments measure;
  bool dry_run = false;
  const CLI::Option* shard_size = nullptr;  ///< tells whether max_shard_size was given
};

void check_type(const Target& target, const std::string& type, bool writes_adapter) {
  const auto types = writes_adapter ? target.adapter_types : target.merged_types;
  HONE_CHECK(ConfigError, type.empty() || std::ranges::find(types, type) != types.end(),
             "--type {}: {} as {} is written as one of {}", type, target.name,
             writes_adapter ? "an adapter" : "a model", fmt::join(types, ", "));
}

/// Refuses what the target has no use for. @throws ConfigError
void check_remedies(const Arguments& arguments, const Target& target) {
  const bool is_svd = arguments.method == "svd";
  HONE_CHECK(ConfigError, arguments.rank == 0 || is_svd,
             "--rank {}: is the rank of --dora svd; add that, or leave --rank out", arguments.rank);
  HONE_CHECK(ConfigError, !is_svd || (target.takes_adapter && !arguments.options.merged),
             "--dora svd: makes a plain LoRA, and what is written is a merged model, which takes "
             "every method as it is; leave --dora out{}",
             target.takes_adapter ? ", or --merge" : "");
}

void check_shard_size(const Arguments& arguments, const Target& target, bool writes_adapter) {
  HONE_CHECK(ConfigError,
             arguments.shard_size->count() == 0 || (target.has_shards && !writes_adapter),
             "--max-shard-size: {} for {} is one file; leave it out",
             writes_adapter ? "an adapter" : "a model", target.name);
}

/// A folder as it is named, without the "/" that may end it.
fs::path plain(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

/// Where the files go: --output, or a folder of the run. What has a manifest is verified as a whole
/// and gets nothing below it: the folder comes beside it.
fs::path destination(const Arguments& arguments) {
  if (!arguments.options.output.empty()) return arguments.options.output;
  HONE_CHECK(ConfigError, !arguments.asked.run.empty(),
             "hone export: name a folder with --output; RUN would have one below it");
  std::string name = arguments.options.target;
  if (arguments.options.merged) name += "-merged";
  if (!arguments.options.type.empty()) name += "-" + arguments.options.type;
  fs::path place = arguments.asked.run;
  if (fs::exists(place / checkpoint::kManifestName)) place = plain(place).parent_path();
  return place / "exports" / name;
}

/// What is exported, in memory.
struct Opened {
  ExportSource from;
  engine::BaseModel base;
  model::Decoder decoder;  ///< nothing attached
  std::optional<adapters::Adapter> adapter;
};

std::optional<adapters::Adapter> load_adapters(const Arguments& arguments,
                                               const exporting::Source& source,
                                               model::Decoder& decoder, std::uint64_t seed) {
  std::vector<adapters::Adapter> loaded;
  for (const fs::path& folder : source.adapters)
    loaded.push_back(adapters::load_adapter(folder, decoder));
  if (loaded.empty()) return std::nullopt;
  if (loaded.size() == 1 && arguments.combination.weights.empty()) return loaded.front();
  adapters::Combination how = arguments.combination;
  how.seed = seed;
  if (how.weights.empty()) how.weights.assign(loaded.size(), 1.0);
  return adapters::combine(loaded, how);
}

/// Ids that the embedding has no row for would fail, or worse, where the export is served. (Some
/// models' own tokenizers have one or two more, which no text gives.)
void check_vocabulary(const Opened& opened) {
  if (!opened.base.text.tokenizer) return;
  const auto tokens = static_cast<std::int64_t>(opened.base.text.tokenizer->vocab_size());
  const std::int64_t rows = opened.decoder.spec.vocab_size;
  HONE_CHECK(DataError, tokens <= rows,
             "{}: the tokenizer has ids up to {}, and the model's embedding {} rows; name the "
             "tokenizer that the model was trained with (--tokenizer), or train with its new "
             "tokens in model.add_tokens",
             opened.base.text.source.string(), tokens - 1, rows);
}

Opened open(const Arguments& arguments, const Common& common) {
  Opened opened{find_export_source(arguments.asked), {}, {}, {}};
  engine::RunOptions& options = opened.from.options;
  if (!arguments.chat_template.empty()) options.data.chat_template = arguments.chat_template;
  std::vector<std::string> folders;
  for (const fs::path& folder : opened.from.source.adapters) folders.push_back(folder);
  if (!folders.empty()) options.model.rope_scaling = engine::rope_of_adapter(folders.front());
  opened.base = engine::open_base(options.model, options.data.chat_template, folders);
  HONE_CHECK(ConfigError,
             arguments.tokenizer.empty() || fs::is_directory(arguments.tokenizer) ||
                 model::is_gguf(arguments.tokenizer),
             "--tokenizer {}: expected a folder with a tokenizer's files, or a .gguf file",
             arguments.tokenizer);
  if (!arguments.tokenizer.empty())
    opened.base.text = engine::open_text(fs::path(arguments.tokenizer), options.data.chat_template);
  opened.decoder = engine::load_base(opened.base, options.model, {});
  if (!arguments.tokenizer.empty()) check_vocabulary(opened);
  const std::uint64_t seed = common.seed.empty() ? 0 : std::stoull(common.seed);
  opened.adapter = load_adapters(arguments, opened.from.source, opened.decoder, seed);
  return opened;
}

/// The smallest --max-lora-rank of vLLM's list that takes the adapter.
std::int64_t served_rank(std::int64_t rank) {
  for (const std::int64_t most : {8, 16, 32, 64, 128, 256, 320})
    if (rank <= most) return most;
  return 512;
}

std::string filled(std::string_view pattern, const exporting::Job& job, const fs::path& folder) {
  std::string text(pattern);
  const std::int64_t rank =
      job.adapter != nullptr ? job.adapter->settings.get<std::int64_t>("r", 0) : 0;
  const char* name_of_template = "chat_template.jinja";
  const std::string given = fs::exists(job.folder / name_of_template)
                                ? " --chat-template " + (folder / name_of_template).string()
                                : "";
  const std::pair<std::string, std::string> values[] = {
      {"{base}", job.base_name},
      {"{folder}", folder.string()},
      {"{template}", given},
      {"{rank}", std::to_string(served_rank(rank))}};
  for (const auto& [name, value] : values)
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
      text.replace(at, name.size(), value);
  return text;
}

std::vector<std::string> stop_texts(const engine::Text& text) {
  std::vector<std::string> texts;
  for (const std::int32_t id : text.stop_ids())
    if (const auto token = text.tokenizer->id_to_token(id)) texts.emplace_back(*token);
  return texts;
}

exporting::Job job_of(const Arguments& arguments, Opened& opened, exporting::Prepared& prepared,
                      const fs::path& folder) {
  const engine::Text& text = opened.base.text;
  return {.options = arguments.options,
          .base_name = opened.from.source.base,
          .base = opened.base.path,
          .tokenizer = text.tokenizer ? text.source : fs::path(),
          .chat_template = text.chat_template ? text.chat_template->source() : "",
          .stop_texts = stop_texts(text),
          .decoder = opened.decoder,
          .adapter = prepared.adapter ? &*prepared.adapter : nullptr,
          .folder = folder};
}

ordered_json svd_errors(const exporting::Prepared& prepared) {
  ordered_json errors = ordered_json::array();
  for (const adapters::Nearness& error : prepared.svd_errors)
    errors.push_back(
        {{"module", error.module}, {"relative", error.relative}, {"largest", error.largest}});
  return errors;
}

/// What the manifest says of where the export came from.
ordered_json describe(const Target& target, const Opened& opened, const exporting::Job& job,
                      const exporting::Prepared& prepared, const fs::path& output) {
  const bool is_adapter = job.adapter != nullptr;
  std::vector<std::string> adapters;
  for (const fs::path& folder : opened.from.source.adapters) adapters.push_back(folder);
  const engine::Lineage lineage =
      engine::lineage_of_adapters("export", opened.from.options.model.base, adapters);
  ordered_json about = {
      {"target", target.name},
      {"help", target.help},
      {"form", is_adapter ? "adapter" : "model"},
      {"type", job.options.type.empty()
                   ? (is_adapter ? target.adapter_types : target.merged_types).front()
                   : std::string_view(job.options.type)},
      {"base",
       {{"name", job.base_name},
        {"path", fs::absolute(job.base).lexically_normal().string()},
        {"sha256", lineage.base.sha256},
        {"vocab_size", job.decoder.spec.vocab_size}}},
      {"adapters", adapters},
      {"notes", prepared.notes}};
  const engine::ModelOptions& loaded = opened.from.options.model;
  if (is_adapter && loaded.quantization != "none")
    about["base"]["quantization"] = {{"format", loaded.quantization},
                                     {"blocksize", loaded.quantization_block_size},
                                     {"double_quantization", loaded.double_quantization},
                                     {"skip", loaded.quantization_skip}};
  if (is_adapter && job.decoder.spec.rope_is_overridden)
    about[engine::kRopeRecord] =
        ordered_json::parse(model::rope_parameters(job.decoder.spec.ropes.front()).dump());
  if (const auto pattern = is_adapter ? target.serve_adapter : target.serve_model; !pattern.empty())
    about["serve"] = filled(pattern, job, output);
  if (!prepared.svd_errors.empty()) about["svd"] = svd_errors(prepared);
  if (!job.tokenizer.empty()) about["tokenizer_sha256"] = opened.base.text.tokenizer_sha256();
  if (opened.from.metrics.is_object())
    for (const char* key : {"steps", "final_loss", "final_eval_loss", "trained_tokens"})
      if (opened.from.metrics.contains(key)) about["metrics"][key] = opened.from.metrics[key];
  about[engine::kLineageKey] = ordered_json::parse(engine::as_json(lineage).dump());
  return about;
}

void show(const ordered_json& about, const fs::path& output) {
  for (const ordered_json& note : about["notes"]) log::info("export  {}", note.get<std::string>());
  fmt::print("{}", exporting::load_back_table(about["load_back"]));
  fmt::print("{}: {} for {}\n", output.string(), about["form"].get<std::string>(),
             about["target"].get<std::string>());
}

void warn(const ordered_json& about) {
  if (about.contains("text"))
    for (const ordered_json& difference : about["text"]["differences"])
      log::warn("text: {}", difference.get<std::string>());
  for (const ordered_json& row : about["load_back"]["precisions"])
    if (row["verdict"] == kFar)
      log::warn(
          "read again in {}, the export is far from the trained model: KL {:.3g} nats a "
          "token, {:.1f} % of the greedy tokens are the same",
          row["precision"].get<std::string>(), row["kl_nats"].get<double>(),
          100 * row["same_greedy_tokens"].get<double>());
}

ExitCode write_export(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  const Target& target = exporting::target_of(arguments.options.target);
  check_remedies(arguments, target);
  const fs::path output = destination(arguments);
  HONE_CHECK(ConfigError, !fs::exists(output) || fs::is_empty(output),
             "--output: {} is there already; choose a folder that is not", output.string());
  Opened opened = open(arguments, common);
  const bool merges = arguments.options.merged || !target.takes_adapter || !opened.adapter;
  HONE_CHECK(ConfigError, opened.adapter || target.takes_merged,
             "{} takes adapters, and {} has none; export --target hf writes the model", target.name,
             opened.from.source.base);
  check_type(target, arguments.options.type, !merges);
  check_shard_size(arguments, target, !merges);

  Measured measured = measure_trained(arguments.measure, opened.from.options, opened.base,
                                      opened.decoder, opened.adapter ? &*opened.adapter : nullptr);
  exporting::Prepared prepared;
  if (opened.adapter)
    prepared =
        exporting::prepare(target, std::move(*opened.adapter), opened.decoder,
                           {arguments.options.merged, arguments.method == "svd", arguments.rank});
  make_folder(fs::absolute(output).parent_path());
  checkpoint::FolderWriter writer(output);
  const exporting::Job job = job_of(arguments, opened, prepared, writer.folder());
  target.write(job);
  ordered_json about = describe(target, opened, job, prepared, output);
  compare_read_back(measured, target.read_back(job), about);
  writer.write("README.md", exporting::model_card(about));
  writer.commit("export", nlohmann::json::parse(about.dump()));

  warn(about);
  if (common.json) {
    about.erase(engine::kLineageKey);
    about["output"] = output.string();
    print_row(about);
  } else {
    show(about, output);
  }
  return ExitCode::kDone;
}

ExitCode run_export(Arguments arguments, const Common& common) {
  arguments.options.output = arguments.output;
  arguments.options.max_shard_size_bytes =
      size_of_text(arguments.max_shard_size, "--max-shard-size");
  HONE_CHECK(ConfigError, arguments.options.max_shard_size_bytes > 0,
             "--max-shard-size: expected a size, as 5GB");
  if (arguments.method == "merge") arguments.options.merged = true;
  const std::string& type = arguments.options.type;
  arguments.measure.is_quantized =
      !type.empty() && type != "f32" && type != "f16" && type != "bf16";
  if (!arguments.dry_run) {
    HONE_CHECK(ConfigError, !arguments.options.target.empty(),
               "hone export: name the form with --target");
    return write_export(arguments, common);
  }
  Opened opened = open(arguments, common);
  tell_sizes(opened.base, opened.decoder, opened.adapter ? &*opened.adapter : nullptr,
             arguments.options.target, arguments.count, common.json);
  return ExitCode::kDone;
}

std::string targets_help() {
  std::string help = "The form that is written.";
  for (const Target& target : exporting::targets())
    help += fmt::format(" {}: {}.", target.name, target.help);
  return help;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target& target : exporting::targets()) names.emplace_back(target.name);
  return names;
}

void declare_source(CLI::App& command, ExportAsked& asked) {
  command.add_option("run", asked.run, "A run's folder, or its adapter/ or model/");
  command.add_option("--model", asked.model,
                     "In RUN's place, or its base where that has moved: Hugging Face folder, .gguf "
                     "file, or a name that tools/setup installed");
  command.add_option("--adapter", asked.adapters, "PEFT folder; several are combined")
      ->allow_extra_args(false);
  command.add_option("--base-name", asked.base_name,
                     "What the adapter's config is to call its base, as the server knows it");
}

void declare_form(CLI::App& command, Arguments& a) {
  command.add_option("--target", a.options.target, targets_help())
      ->check(CLI::IsMember(target_names()));
  command.add_option("--output", a.output,
                     "Folder that is written; by default exports/TARGET below RUN, or beside it "
                     "where RUN is an adapter, a model or an export");
  command.add_option("--type", a.options.type,
                     "What weights are written as: f32, f16, bf16, nf4, …");
  command.add_flag("--merge", a.options.merged,
                   "Write a model with the adapter merged where the target takes an adapter too");
  command
      .add_option("--dora", a.method,
                  "What becomes of DoRA, and of other methods, where a target takes plain LoRA "
                  "alone: refuse; svd: the plain LoRA of --rank that comes nearest, the error "
                  "stated; merge")
      ->check(CLI::IsMember({"refuse", "svd", "merge"}))
      ->capture_default_str();
  command.add_option("--rank", a.rank, "Of --dora svd; 0: twice the adapter's")
      ->check(CLI::NonNegativeNumber);
  a.shard_size = command
                     .add_option("--max-shard-size", a.max_shard_size,
                                 "Largest file of a model's weights, where these are several")
                     ->capture_default_str();
  command.add_option("--tokenizer", a.tokenizer,
                     "Folder that the tokenizer is taken from, in the place of the model's own");
  command.add_option("--template", a.chat_template, "Chat template, as data.template");
  command
      .add_option("--weights", a.combination.weights,
                  "How much each of several adapters counts (0.5,0.5)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--combination", a.combination.type, "How several adapters become one")
      ->check(CLI::IsMember(adapters::combination_types()))
      ->capture_default_str();
}

}  // namespace

Action declare_export(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  declare_source(command, a.asked);
  declare_form(command, a);
  command.add_option("--data", a.asked.data,
                     "Rows on which what was written is compared with what was trained; by default "
                     "the run's own");
  a.measure.declare(command);
  command.add_flag("--dry-run", a.dry_run, "Write nothing; say what each form would take");
  command.add_option("--count", a.count, "With --dry-run: adapters of one base")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return [arguments, &common] { return run_export(*arguments, common); };
}

}  // namespace hone::cli
