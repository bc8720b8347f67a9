#pragma once

#include <string>
#include <vector>

#include "engine/lineage.h"

namespace hone::engine {

/// Something that a run had read, and what is in its place now.
struct InputState {
  std::string what;          ///< "base", "tokenizer", "template", a data set's name, "init_from"
  Input recorded;            ///< no hash: it was not there then
  std::string found_sha256;  ///< empty: it cannot be read now
  bool holds() const { return recorded.sha256 == found_sha256; }
};

/// How something that was trained could be trained again.
struct Reproduction {
  std::string config;              ///< YAML: what was asked for then, with nothing left to chance
  std::vector<InputState> inputs;  ///< what it would read
  std::vector<std::string> notes;  ///< what else may keep it from ending with the same bits
};

/// @param output_dir train.output_dir of the config
/// @throws DataError where no config is recorded: the folder was not trained
Reproduction reproduce(const MadeFolder& made, const std::string& output_dir);

}  // namespace hone::engine
