#include "cli/judge.h"

#include <algorithm>

#include "base/file.h"
#include "model/head.h"

namespace hone::cli {
namespace {

using Ids = std::vector<std::int64_t>;
using Row = nlohmann::ordered_json;
using torch::Tensor;

constexpr std::string_view kQuestion =
    "Two answers to a prompt are shown. Say which one is better: more correct, more useful, "
    "clearer. Neither its length nor its place makes an answer better.\n\n"
    "[Prompt]\n{prompt}\n\n[Answer A]\n{first}\n\n[Answer B]\n{second}\n\n"
    "Reply with one letter, A or B.";
/// What a model without a chat template goes on from.
constexpr std::string_view kCue = "\nThe better answer:";

constexpr std::array<std::string_view, 3> kPlaces = {"{prompt}", "{first}", "{second}"};

/// The question with its places filled; what is put in is not looked at again.
std::string filled(std::string_view question, const std::array<std::string, 3>& values) {
  std::string text;
  while (!question.empty()) {
    const auto place = std::ranges::find_if(
        kPlaces, [&](std::string_view name) { return question.starts_with(name); });
    if (place == kPlaces.end()) {
      text += question.front();
      question.remove_prefix(1);
    } else {
      text += values[std::size_t(place - kPlaces.begin())];
      question.remove_prefix(place->size());
    }
  }
  return text;
}

/// A text, or what messages say, each behind its role where there are several.
std::string text_of(const Row& value) {
  if (value.is_string()) return value;
  std::string text;
  for (const Row& message : value) {
    HONE_CHECK(DataError,
               message.is_object() && message.contains("content") && message["content"].is_string(),
               "a judge reads texts, and a message has none: {}", message.dump());
    if (!text.empty()) text += "\n\n";
    if (value.size() > 1) text += message.value("role", "") + ": ";
    text += message["content"].get<std::string>();
  }
  return text;
}

std::string question_of(const std::string& file) {
  const std::string question = file.empty() ? std::string(kQuestion) : read_file(file);
  for (const std::string_view place : kPlaces)
    HONE_CHECK(ConfigError, question.find(place) != std::string::npos,
               "--question {}: it has no {}; expected {{prompt}}, {{first}} and {{second}}, where "
               "the prompt and the two answers are put",
               file, place);
  return question;
}

}  // namespace

void JudgeArguments::declare(CLI::App& command) {
  model.declare(command, /*model_required=*/false);
  command
      .add_option("--question", question,
                  "A file with what --model is asked of two answers, with {prompt}, {first} and "
                  "{second} where they are put; empty: a question for the better one, A or B")
      ->check(CLI::ExistingFile);
  command
      .add_option("--words", words,
                  "What --model says for the answer shown first, and for the second (A,B)")
      ->delimiter(',')
      ->expected(2);
}

Judge::Judge(const JudgeArguments& arguments, const Common& common)
    : opened_(open_model(arguments.model, common)), question_(question_of(arguments.question)) {
  HONE_CHECK(ConfigError, opened_.decoder.spec.num_labels == 0,
             "--model {}: a judge says words, and this model's head gives scores; hone rank makes "
             "preferences of those",
             arguments.model.model);
  // Behind a text the word is one of its own; a chat template has put the border there already.
  const std::string space = opened_.text.chat_template ? "" : " ";
  const tokenizer::Tokenizer& tokenizer = opened_.text.require_tokenizer("a judge");
  std::array<Ids, 2> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto ids = tokenizer.encode(space + arguments.words[i]).ids;
    words[i].assign(ids.begin(), ids.end());
  }
  const auto [first, second] = std::ranges::mismatch(words[0], words[1]);
  HONE_CHECK(ConfigError, first != words[0].end() && second != words[1].end(),
             "--words {},{}: one begins with the other's tokens, so that they cannot be told apart",
             arguments.words[0], arguments.words[1]);
  lead_.assign(words[0].begin(), first);
  names_ = {*first, *second};
}

Ids Judge::asked(const std::string& prompt, const std::string& first,
                 const std::string& second) const {
  const std::string text = filled(question_, {prompt, first, second});
  Ids ids;
  if (opened_.text.chat_template) {
    const Row row = {{"messages", Row::array({{{"role", "user"}, {"content", text}}})}};
    ids = engine::encode_conversation(row, opened_.text, /*add_generation_prompt=*/true);
  } else {
    const std::string whole = text + std::string(kCue);
    const auto encoded = opened_.text.require_tokenizer("a judge").encode(
        whole, {.add_special_tokens = true, .literal = {{0, whole.size()}}});
    ids.assign(encoded.ids.begin(), encoded.ids.end());
  }
  ids.insert(ids.end(), lead_.begin(), lead_.end());
  const std::int64_t most = opened_.decoder.spec.max_position_embeddings;
  HONE_CHECK(DataError, most == 0 || std::ssize(ids) <= most,
             "the question with both answers has {} tokens, and the judge reads {}", ids.size(),
             most);
  return ids;
}

std::array<double, 2> Judge::log_odds(const Row& prompt, const Row& a, const Row& b) const {
  const torch::NoGradGuard no_grad;
  Ids ids, positions, borders{0}, last;
  for (const auto& [first, second] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    const Ids document = asked(text_of(prompt), text_of(*first), text_of(*second));
    for (std::int64_t i = 0; i < std::ssize(document); ++i) positions.push_back(i);
    ids.insert(ids.end(), document.begin(), document.end());
    borders.push_back(std::ssize(ids));
    last.push_back(std::ssize(ids) - 1);
  }
  const model::Decoder& decoder = opened_.decoder;
  const auto on_device = [&](const Ids& values) {
    return torch::tensor(values).to(decoder.device());
  };
  const Tensor hidden =
      model::hidden_states(decoder, {on_device(ids), on_device(positions), borders});
  // Of two log-probabilities the difference is that of the logits.
  const Tensor logits = model::logits(decoder, hidden.index_select(0, on_device(last)));
  const auto of = [&](std::int64_t order, std::size_t name) {
    return logits[order][names_[name]].item<double>();
  };
  return {of(0, 0) - of(0, 1), of(1, 0) - of(1, 1)};
}

}  // namespace hone::cli
