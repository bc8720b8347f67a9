#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/columns.h"
#include "datasets/record_reader.h"

namespace hone::cli {

/// The rows that a verb of `hone data` reads, and how.
struct RowArguments {
  std::vector<std::string> input;
  std::string format = "auto";
  std::vector<std::string> columns;  ///< "prompt=question"

  void declare(CLI::App& command);
  /// Where rows pass through as they are, whatever their format.
  void declare_input(CLI::App& command);

  /// @throws ConfigError where the mapping or the format is wrong
  datasets::Columns mapping() const;
  /// The files that --input names. @throws DataError where there is none
  std::vector<std::string> files() const;
  datasets::RecordReader open() const;

  /// A verb that writes never writes over what it reads.
  /// @throws ConfigError where `output` is one of the files
  void refuse_as_output(const std::filesystem::path& output) const;
};

}  // namespace hone::cli
