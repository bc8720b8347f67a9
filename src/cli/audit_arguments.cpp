#include "cli/audit_arguments.h"

#include <algorithm>

#include "datasets/files.h"
#include "engine/base_model.h"

namespace hone::cli {
namespace {

void append(std::vector<std::string>& all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

void AuditArguments::declare(CLI::App& command) {
  config.declare(command, /*required=*/false);
  command.add_option("--input", input, "Files of rows, in place of a config");
  command.add_option("--format", format, "Of the rows: auto, or a format that data.format knows")
      ->capture_default_str();
  command.add_option("--tokenizer", tokenizer,
                     "Folder, tokenizer.json or .gguf file: counts are in tokens then");
  command.add_option("--eval", eval, "Files of rows that must not be trained on");
  command.add_option("--benchmark", benchmark,
                     "Files of benchmarks: rows with texts under any keys");
}

AuditRows::AuditRows(const AuditArguments& arguments, const Common& common) {
  HONE_CHECK(ConfigError, arguments.config.path.empty() != arguments.input.empty(),
             "name the rows: either a config, or files with --input");
  input.train.files = arguments.input;
  input.train.format = arguments.format;
  input.train.threads = common.threads;
  input.benchmark = arguments.benchmark;
  if (!arguments.config.path.empty()) {
    const engine::RunOptions options = arguments.config.load(common).options;
    input.train.files = options.data.train;
    input.train.format = options.data.format;
    input.train.columns = options.data.columns;
    input.eval = options.data.eval;
    text = engine::open_text(options.model, "", {options.adapter.init_from});
  }
  append(input.eval, arguments.eval);
  if (!arguments.tokenizer.empty())
    text.tokenizer = tokenizer::Tokenizer::load(engine::resolve_model(arguments.tokenizer));
  if (text.tokenizer) input.tokenizer = &*text.tokenizer;
  for (auto* files : {&input.train.files, &input.eval, &input.benchmark}) {
    HONE_CHECK(ConfigError, std::find(files->begin(), files->end(), "-") == files->end(),
               "rows from standard input cannot be read twice; write them to a file first");
    *files = datasets::expand_files(*files);
  }
}

}  // namespace hone::cli
