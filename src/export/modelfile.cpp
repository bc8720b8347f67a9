#include "export/modelfile.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "io/gguf.h"
#include "model/load.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using tokenizer::ChatTemplate;
using tokenizer::OrderedJson;

/// Ollama reserves memory for the whole context: no more than this unasked.
constexpr std::int64_t kMostContext = 8192;

struct Message {
  std::string role, content;
};
using Conversation = std::vector<Message>;

/// Words that no template prints, without spaces at the ends, which some templates cut off.
const Message kSystem{"system", "hone-probe-s"}, kUser{"user", "hone-probe-u"},
    kAssistant{"assistant", "hone-probe-a"}, kUserAgain{"user", "hone-probe-v"},
    kAssistantAgain{"assistant", "hone-probe-b"};

/// A template together with what it is rendered with.
class Renderer {
 public:
  Renderer(const std::string& source, const tokenizer::Tokenizer& tokenizer) : template_(source) {
    for (const auto& [name, token] : tokenizer.special().names) variables_[name] = token;
    const auto bos = tokenizer.special().bos_id;
    const auto framed = tokenizer.encode("a", {.add_special_tokens = true}).ids;
    if (bos && !framed.empty() && framed.front() == *bos) bos_ = *tokenizer.id_to_token(*bos);
  }

  /// Without the BOS token that the server puts there. @return nothing where it is refused
  std::optional<std::string> operator()(const Conversation& messages, bool asks) const {
    OrderedJson list = OrderedJson::array();
    for (const Message& message : messages)
      list.push_back({{"role", message.role}, {"content", message.content}});
    try {
      std::string text =
          template_.render(list, {.add_generation_prompt = asks, .variables = variables_}).text;
      return !bos_.empty() && text.starts_with(bos_) ? text.substr(bos_.size()) : text;
    } catch (const DataError&) {
      return std::nullopt;
    }
  }

 private:
  ChatTemplate template_;
  OrderedJson variables_ = OrderedJson::object();
  std::string bos_;
};

/// What stands before, between and after the contents in a text; nothing where one is not there
/// once, in this order.
std::optional<std::vector<std::string>> pieces_of(const std::optional<std::string>& text,
                                                  const Conversation& messages) {
  if (!text) return std::nullopt;
  std::vector<std::string> pieces;
  std::size_t at = 0;
  for (const Message& message : messages) {
    const std::size_t found = text->find(message.content, at);
    if (found == std::string::npos) return std::nullopt;
    pieces.push_back(text->substr(at, found - at));
    at = found + message.content.size();
  }
  pieces.push_back(text->substr(at));
  return pieces;
}

/// `text` without the end or beginning that it has to have.
std::optional<std::string> without_end(const std::string& text, const std::string& end) {
  if (!text.ends_with(end)) return std::nullopt;
  return text.substr(0, text.size() - end.size());
}
std::optional<std::string> without_start(const std::string& text, const std::string& start) {
  if (!text.starts_with(start)) return std::nullopt;
  return text.substr(start.size());
}

/// What the format makes of a conversation, as its Go template does.
std::string print(const TurnFormat& format, const Conversation& messages, bool asks) {
  std::string text = messages.front().role == "system" ? "" : format.without_system;
  for (const Message& message : messages) {
    const TurnFormat::Turn& turn = message.role == "system" ? format.system
                                   : message.role == "user" ? format.user
                                                            : format.assistant;
    text += turn.before + message.content + turn.after;
  }
  return asks ? text + format.assistant.before : text;
}

/// The format that explains short conversations, if any does.
std::optional<TurnFormat> guess(const Renderer& render) {
  const Conversation dialogue = {kUser, kAssistant, kUserAgain};
  const auto first = pieces_of(render({kUser}, false), {kUser});
  const auto asked = pieces_of(render({kUser}, true), {kUser});
  const auto answered = pieces_of(render({kUser, kAssistant}, false), {kUser, kAssistant});
  const auto again = pieces_of(render(dialogue, false), dialogue);
  if (!first || !asked || !answered || !again) return std::nullopt;

  TurnFormat format;
  format.user.after = first->at(1);
  format.assistant.after = answered->at(2);
  const auto assistant_before = without_start(asked->at(1), format.user.after);
  const auto user_before = without_start(again->at(2), format.assistant.after);
  if (!assistant_before || !user_before) return std::nullopt;
  format.assistant.before = *assistant_before;
  format.user.before = *user_before;
  const auto beginning = without_end(first->at(0), format.user.before);
  if (!beginning) return std::nullopt;
  format.without_system = *beginning;

  const auto told = pieces_of(render({kSystem, kUser}, false), {kSystem, kUser});
  if (!told) return std::nullopt;
  const auto system_after = without_end(told->at(1), format.user.before);
  if (!system_after) return std::nullopt;
  format.system = {told->at(0), *system_after};
  return format;
}

bool explains(const TurnFormat& format, const Renderer& render) {
  const Conversation conversations[] = {
      {kUser},
      {kSystem, kUser},
      {kUser, kAssistant, kUserAgain},
      {kSystem, kUser, kAssistant, kUserAgain, kAssistantAgain, kUser}};
  return std::ranges::all_of(conversations, [&](const Conversation& messages) {
    return render(messages, false) == print(format, messages, false) &&
           render(messages, true) == print(format, messages, true);
  });
}

/// Text as it stands in a Go template inside a Modelfile's triple quotes.
bool is_plain(const std::string& text) {
  return text.find("{{") == std::string::npos && text.find("\"\"\"") == std::string::npos;
}

std::string template_lines(const Modelfile& modelfile, const fs::path& tokenizer) {
  if (modelfile.chat_template.empty() || tokenizer.empty()) return "";
  const auto format = find_turn_format(modelfile.chat_template, tokenizer);
  if (format) return fmt::format("TEMPLATE \"\"\"{}\"\"\"\n", format->go_template());
  log::warn(
      "the chat template does more than print turn after turn, which is all that hone turns into "
      "Ollama's own language: the Modelfile has no TEMPLATE, and Ollama takes the one of its own "
      "that is nearest to the GGUF file's Jinja. Compare what it prints (`ollama run --verbose`), "
      "or "
      "serve with llama-server --jinja");
  return "";
}

}  // namespace

std::string TurnFormat::go_template() const {
  const auto turn = [](const Turn& one) { return one.before + "{{ .Content }}" + one.after; };
  std::string text;
  if (!without_system.empty()) text = "{{ if not .System }}" + without_system + "{{ end }}";
  text += "{{ range $i, $_ := .Messages }}";
  text += "{{ if eq .Role \"system\" }}" + turn(system);
  text += "{{ else if eq .Role \"user\" }}" + turn(user);
  text += "{{ else if eq .Role \"assistant\" }}" + turn(assistant) + "{{ end }}";
  text += "{{ if and (eq (len (slice $.Messages $i)) 1) (ne .Role \"assistant\") }}" +
          assistant.before + "{{ end }}{{ end }}";
  return text;
}

std::optional<TurnFormat> find_turn_format(const std::string& chat_template,
                                           const fs::path& tokenizer) {
  const Renderer render(chat_template, tokenizer::Tokenizer::load(tokenizer));
  const std::optional<TurnFormat> format = guess(render);
  if (!format || !explains(*format, render)) return std::nullopt;
  for (const std::string* piece :
       {&format->system.before, &format->system.after, &format->user.before, &format->user.after,
        &format->assistant.before, &format->assistant.after, &format->without_system})
    if (!is_plain(*piece)) return std::nullopt;
  return format;
}

std::string modelfile_text(const Modelfile& modelfile, const fs::path& tokenizer) {
  std::string text = fmt::format("FROM {}\n", modelfile.from);
  if (!modelfile.adapter.empty()) text += fmt::format("ADAPTER {}\n", modelfile.adapter);
  text += template_lines(modelfile, tokenizer);
  for (const std::string& stop : modelfile.stop_texts)
    text += fmt::format("PARAMETER stop \"{}\"\n", stop);
  text += fmt::format("PARAMETER num_ctx {}\n", std::min(modelfile.context_length, kMostContext));
  if (!modelfile.license.empty())
    text += fmt::format("LICENSE \"\"\"{}\"\"\"\n", modelfile.license);
  return text;
}

std::string license_of(const fs::path& model) {
  constexpr const char* kKey = "general.license";
  if (model.empty()) return "";
  if (model::is_gguf(model)) {
    const io::GgufFile file(model);
    return file.has(kKey) ? file.get_string(kKey) : "";
  }
  if (!fs::exists(model / "README.md")) return "";
  std::istringstream lines(read_file(model / "README.md"));
  constexpr std::string_view kLine = "license:";
  std::string line;
  if (!std::getline(lines, line) || line != "---") return "";
  while (std::getline(lines, line) && line != "---") {
    if (!line.starts_with(kLine)) continue;
    const std::size_t begin = line.find_first_not_of(" \"'", kLine.size());
    const std::size_t end = line.find_last_not_of(" \"'\r");
    return begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
  }
  return "";
}

}  // namespace hone::exporting
