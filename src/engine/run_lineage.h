#pragma once

#include <string>
#include <vector>

#include "checkpoint/manifest.h"
#include "datasets/dataset.h"
#include "engine/device.h"
#include "engine/lineage.h"
#include "engine/options.h"
#include "engine/text.h"

namespace hone::engine {

/// Rows as the lineage tells of them.
/// @param data what became of `files`
/// @throws DataError where the files have changed since they were read
DataInput describe_rows(const std::string& name, const std::string& license,
                        const std::vector<std::string>& files, const datasets::Dataset& data,
                        const datasets::DataOptions& options);

/// What a run of these options comes from, up to the hash of the base's weights, which is left
/// empty: it takes long and is wanted late.
Lineage lineage_of_run(const RunOptions& options, const Placement& placement, const Text& text,
                       std::vector<DataInput> data);

/// What came of a base and adapters without training. Takes the base's hash.
/// @param made_by the verb
Lineage lineage_of_adapters(const std::string& made_by, const std::string& base,
                            const std::vector<std::string>& adapters);

/// Notes that the run goes on from a checkpoint, and what that one tells of earlier ones.
void note_resumption(Lineage& lineage, const checkpoint::VerifiedFolder& checkpoint);

/// What the template is called that a tokenizer brought along.
inline constexpr const char* kOwnTemplate = "the tokenizer's own";

/// The template that conversations go through, and its hash; empty where there is none.
/// @param option data.template
Input describe_template(const std::string& option, const Text& text);

}  // namespace hone::engine
