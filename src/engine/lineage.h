#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hone::engine {

/// A file or model that was read, and what it was then.
struct Input {
  std::string name;    ///< as the config says it
  std::string path;    ///< absolute; empty where it is part of hone
  std::string sha256;  ///< empty where there is none
};

/// Rows that were read.
struct DataInput {
  std::string name;     ///< data.train, data.eval, or a source's name
  std::string license;  ///< as the config says; empty: it does not
  std::int64_t rows = 0, tokens = 0, trained_tokens = 0;
  std::vector<std::string> patterns;  ///< what was asked for: files, folders, patterns; absolute
  std::vector<Input> files;           ///< what they stood for
};

/// What a program was made of.
struct CodeVersion {
  std::string hone, commit, libtorch;
};

/// What the numbers were computed on and in: the same bits come only of the same.
struct Machine {
  std::string cpu_model, device, precision, weights;
  std::int64_t threads = 0;
};

/// A checkpoint that the run went on from.
struct Resumption {
  std::int64_t step = 0;
  std::string checkpoint, manifest_sha256;
  std::string config;  ///< of the part before, where that was another one; else empty
  CodeVersion code;
};

/// Something that was trained before, and gone on from.
struct Parent {
  std::string relation;  ///< "base", "init_from", "reference", "adapter"
  std::string path;
  std::vector<Input> files;
  nlohmann::json lineage;  ///< its own; null where it tells of none
};

/// What a checkpoint, an adapter or a model came from. It stands in the manifest of its folder.
struct Lineage {
  std::string made_by;  ///< "train", "merge"
  std::string made_at;  ///< ISO 8601, UTC
  std::string folder;   ///< that paths of the config are relative to
  Input base, tokenizer, chat_template;
  std::vector<DataInput> data;
  std::string config;  ///< the resolved config, as YAML; empty where none was used
  CodeVersion code;
  Machine machine;
  std::vector<Resumption> resumptions;
  std::vector<Parent> parents;
};

nlohmann::json as_json(const Lineage& lineage);
/// @throws CheckpointError where it is not what as_json() gives
Lineage lineage_from(const nlohmann::json& json);

/// The key of a manifest's `about` that the lineage stands under.
inline constexpr const char* kLineageKey = "lineage";

/// A folder of hone's, and what it says of itself.
struct MadeFolder {
  std::filesystem::path folder;
  std::string kind;  ///< "checkpoint", "adapter", "model"
  nlohmann::json about;
  Lineage lineage;
};

/// Reads the manifest of a checkpoint, an adapter or a model; of a run's folder that of its
/// product, or of the newest checkpoint where it has none yet.
/// @throws DataError where there is none, or it says nothing of a lineage
MadeFolder read_made_folder(const std::filesystem::path& path);

/// The tree of a lineage, as lines.
std::string draw_tree(const MadeFolder& made);

}  // namespace hone::engine
