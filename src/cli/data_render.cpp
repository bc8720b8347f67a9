#include <ctime>

#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "datasets/message_weights.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct RenderArguments {
  std::string tokenizer, input, chat_template, now;
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
  options.now = arguments.now.empty() ? datasets::pinned_date() : parse_time(arguments.now);
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
  return options;
}

void add_tokens(const datasets::RenderedConversation& conversation,
                const std::vector<datasets::MessageTraining>& training, const engine::Text& text,
                ordered_json& out) {
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("--tokens");
  const tokenizer::Rendered& rendered = conversation.rendered;
  const tokenizer::Encoding encoding =
      tokenizer.encode(rendered.text, {.literal = tokenizer::literal_ranges(rendered)});
  std::vector<datasets::WeighedRange> trained;
  if (!conversation.options.add_generation_prompt)
    trained = datasets::weigh_messages(conversation, training, {"all"}, *text.chat_template,
                                       tokenizer::make_stop_tokens(tokenizer, text.stop_ids()))
                  .ranges;
  out["ids"] = encoding.ids;
  out["weights"] = datasets::weigh_tokens(encoding.offsets, trained, 0).weights;
}

ordered_json render_row(const ordered_json& row, const engine::Text& text,
                        const RenderArguments& arguments) {
  datasets::RenderedConversation conversation;
  conversation.messages = row["messages"];
  const auto training = datasets::take_training(conversation.messages);
  conversation.options = options_of(row, text, arguments);
  conversation.rendered =
      text.require_chat_template("data render").render(conversation.messages, conversation.options);
  ordered_json out = {{"text", conversation.rendered.text}};
  if (arguments.tokens) add_tokens(conversation, training, text, out);
  return out;
}

ExitCode run_render(const RenderArguments& arguments) {
  const engine::Text text =
      engine::open_text(engine::resolve_model(arguments.tokenizer), arguments.chat_template);
  RowSource rows(arguments.input);
  while (const auto row = rows.next()) {
    rows.at(*row, [&] {
      HONE_CHECK(DataError, row->value.contains("messages"), "{}: expected `messages`",
                 rows.where(*row));
      print_row(render_row(row->value, text, arguments));
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
  command.add_option("--template", arguments->chat_template,
                     "Instead of the model's own template: a name (" + tokenizer::template_names() +
                         ") or a Jinja file");
  command.add_option("--now", arguments->now,
                     "What strftime_now sees (ISO 8601); without it 2024-07-26, as in training");
  command.add_flag("--add-generation-prompt", arguments->add_generation_prompt,
                   "Ask for the next turn");
  command.add_flag("--tokens", arguments->tokens, "Also token ids and loss weights");
  return [arguments] { return run_render(*arguments); };
}

}  // namespace hone::cli
