#include <ctime>

#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "datasets/weights.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct RenderArguments {
  std::string tokenizer, input, template_file, now;
  bool add_generation_prompt = false, tokens = false;
};

std::tm parse_time(const std::string& text) {
  std::tm time{};
  for (const char* format :
       {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    time = {};
    const char* end = strptime(text.c_str(), format, &time);
    if (end != nullptr && (*end == '\0' || std::string_view(end) == "Z")) {
      mktime(&time);  // fills in the weekday
      return time;
    }
  }
  throw ConfigError(fmt::format("--now {}: expected ISO 8601, as 2026-03-07T15:04:09", text));
}

/// Keys of a row beside messages, tools and documents are variables and override the tokenizer's.
tokenizer::RenderOptions options_of(const ordered_json& row, const engine::Text& text,
                                    const RenderArguments& arguments) {
  tokenizer::RenderOptions options;
  options.add_generation_prompt = arguments.add_generation_prompt;
  if (text.tokenizer)
    for (const auto& [name, spelling] : text.tokenizer->special().names)
      options.variables[name] = spelling;
  for (const auto& [key, value] : row.items()) {
    if (key == "messages") continue;
    if (key == "tools") {
      options.tools = value;
    } else if (key == "documents") {
      options.documents = value;
    } else if (key == "add_generation_prompt" && value.is_boolean()) {
      options.add_generation_prompt = value;
    } else {
      options.variables[key] = value;
    }
  }
  if (!arguments.now.empty()) options.now = parse_time(arguments.now);
  return options;
}

void add_tokens(const ordered_json& messages, const tokenizer::RenderOptions& options,
                const tokenizer::Rendered& rendered, const engine::Text& text, ordered_json& out) {
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("--tokens");
  const tokenizer::Encoding encoding =
      tokenizer.encode(rendered.text, {.literal = tokenizer::literal_ranges(rendered)});
  std::vector<tokenizer::TextRange> trained;
  if (!options.add_generation_prompt)
    for (const tokenizer::AssistantTurn& turn : tokenizer::find_assistant_turns(
             *text.chat_template, messages, options, rendered, tokenizer.special_token_texts()))
      trained.push_back({turn.begin, turn.end});
  out["ids"] = encoding.ids;
  out["weights"] = datasets::weigh_tokens(encoding.offsets, trained, 0).weights;
}

ExitCode run_render(const RenderArguments& arguments) {
  const engine::Text text =
      engine::open_text(engine::resolve_model(arguments.tokenizer), arguments.template_file);
  const tokenizer::ChatTemplate& chat_template = text.require_chat_template("data render");
  RowSource rows(arguments.input);
  while (const auto row = rows.next()) {
    rows.at(*row, [&] {
      HONE_CHECK(DataError, row->value.contains("messages"), "{}: expected `messages`",
                 rows.where(*row));
      const tokenizer::RenderOptions options = options_of(row->value, text, arguments);
      const ordered_json& messages = row->value["messages"];
      const tokenizer::Rendered rendered = chat_template.render(messages, options);
      ordered_json out = {{"text", rendered.text}};
      if (arguments.tokens) add_tokens(messages, options, rendered, text, out);
      print_row(out);
    });
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_render(CLI::App& command, const Common&) {
  auto arguments = std::make_shared<RenderArguments>();
  command
      .add_option("--tokenizer", arguments->tokenizer,
                  "Folder, tokenizer.json, tokenizer.model or .gguf file")
      ->required();
  command.add_option("--input", arguments->input, "JSONL rows of `messages` (- for stdin)")
      ->required();
  command.add_option("--template", arguments->template_file,
                     "A Jinja file instead of the model's own template");
  command.add_option("--now", arguments->now, "What strftime_now sees (ISO 8601)");
  command.add_flag("--add-generation-prompt", arguments->add_generation_prompt,
                   "Ask for the next turn");
  command.add_flag("--tokens", arguments->tokens, "Also token ids and loss weights");
  return [arguments] { return run_render(*arguments); };
}

}  // namespace hone::cli
