#include "cli/row_arguments.h"

#include "base/error.h"
#include "datasets/files.h"

namespace hone::cli {

void RowArguments::declare_input(CLI::App& command) {
  command
      .add_option("--input", input,
                  "Files, folders or globs of rows: JSONL, JSON, CSV, TSV, Parquet (- for stdin)")
      ->required();
}

void RowArguments::declare(CLI::App& command) {
  declare_input(command);
  command.add_option("--from", format, "Format of the rows, as data.format")->capture_default_str();
  command.add_option("--columns", columns, "hone's key=the file's column, as data.columns")
      ->delimiter(',');
}

datasets::Columns RowArguments::mapping() const {
  datasets::Columns mapping;
  for (const std::string& pair : columns) {
    const std::size_t equals = pair.find('=');
    HONE_CHECK(ConfigError, equals != pair.npos && equals > 0 && equals + 1 < pair.size(),
               "--columns {}: expected key=column, as in prompt=question", pair);
    mapping[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  const std::string wrong = datasets::wrong_columns(mapping, format);
  HONE_CHECK(ConfigError, wrong.empty(), "--columns: {}", wrong);
  return mapping;
}

std::vector<std::string> RowArguments::files() const { return datasets::expand_files(input); }

datasets::RecordReader RowArguments::open() const {
  if (format != "auto") datasets::row_format_named(format);
  return {files(), format, mapping()};
}

void RowArguments::refuse_as_output(const std::filesystem::path& output) const {
  std::error_code ignored;
  for (const std::string& file : files())
    HONE_CHECK(ConfigError, !std::filesystem::equivalent(file, output, ignored),
               "{}: is one of the files that are read; write to another one", output.string());
}

}  // namespace hone::cli
