#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/adapter.h"
#include "export/rules.h"
#include "model/decoder.h"

namespace hone::exporting {  // `export` is a keyword

/// What is exported, as the command line names it: a model with adapters. Of a run it is the run's
/// base with its adapter, or its model alone.
struct Source {
  std::string base;  ///< folder, .gguf file or name, as adapter_config.json is to call it
  std::vector<std::filesystem::path> adapters;  ///< PEFT folders; empty: a model as it is
  std::filesystem::path run;                    ///< empty where none was named
};

struct ExportOptions {
  std::string target;
  std::filesystem::path output;
  std::string type;     ///< of the weights written: f32, f16, bf16, nf4, q4_k_m; "": the target's
  bool merged = false;  ///< a merged model, where the target takes an adapter as well
  std::int64_t max_shard_size_bytes = std::int64_t(5) << 30;
};

/// A thing to write, opened and made fit for its target: merged where the target asks for that,
/// else folded to what it takes.
struct Job {
  const ExportOptions& options;
  std::string base_name;       ///< Source::base
  std::filesystem::path base;  ///< the folder or .gguf file that it stands for
  /// Folder or .gguf file that the tokenizer, its template and its configuration are read from: the
  /// base, or an adapter's folder that brings its own.
  std::filesystem::path tokenizer;
  std::string chat_template;  ///< Jinja, what conversations were trained through; empty: none
  std::vector<std::string> stop_texts;  ///< of the tokens that end a reply
  /// The base with nothing attached; where `adapter` is null, what is to be written, merged
  /// already. On the CPU.
  model::Decoder& decoder;
  adapters::Adapter* adapter = nullptr;  ///< set where an adapter is to be written
  std::filesystem::path folder;          ///< that the files are written into; it is there and empty
};

/// An export as hone reads it again.
struct ReadBack {
  model::Decoder decoder;  ///< with the adapter attached where it is one; computes in f32
  /// What its tokenizer and template are read from; empty where it brings none (an adapter's GGUF).
  std::filesystem::path tokenizer;
};

/// A form that a server loads, as `hone export --target` names it: one row of the table.
struct Target {
  std::string_view name;
  std::string_view help;
  bool takes_adapter = false;  ///< an adapter beside its base; the default where it does
  bool takes_merged = false;
  bool has_shards = false;  ///< a model's weights are cut at ExportOptions::max_shard_size_bytes
  std::span<const std::string_view> adapter_types;  ///< of Job::options.type; the first is default
  std::span<const std::string_view> merged_types;
  std::span<const Rule> rules;  ///< what it cannot take of an adapter
  /// @throws ConfigError where the model is none that the form holds, naming the reason
  void (*write)(const Job& job);
  /// Reads what `write` has written into job.folder.
  ReadBack (*read_back)(const Job& job);
  /// Bytes of a merged model's weights in one of merged_types; null: not known before it is
  /// written.
  std::int64_t (*merged_bytes)(model::Decoder& decoder, std::string_view type) = nullptr;
  /// How a server is given an adapter and a model: {base}, {folder}, {rank} are filled in,
  /// and {template} by ` --chat-template FILE` where the export brings one.
  std::string_view serve_adapter = "", serve_model = "";
};

/// All of them; "peft", "hf", "vllm", "tgi", "llama.cpp", "ollama".
std::span<const Target> targets();
/// @throws ConfigError naming those that there are
const Target& target_of(std::string_view name);

/// The rows of one file each; targets() puts them together.
extern const Target kPeftTarget, kHuggingFaceTarget, kVllmTarget, kTgiTarget;
extern const Target kLlamaCppTarget, kOllamaTarget;

}  // namespace hone::exporting
