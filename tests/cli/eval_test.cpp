#include <cmath>
#include <fstream>

#include "io/json.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// `hone eval` from outside: figures against what other verbs say of the same rows.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::rows_of;
using test::run_hone;

json result_of(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.exit_code == 0 ? json::parse(finished.out) : json::object();
}

class Eval : public testing::Test {
 protected:
  Eval() : model_(test::write_text_model(folder_, "model")) {}

  std::string write(const std::vector<json>& rows, const std::string& name = "rows.jsonl") {
    std::string text;
    for (const json& row : rows) text += row.dump() + "\n";
    return folder_.write(name, text).string();
  }
  Finished eval(const std::string& rows, std::vector<std::string> more) {
    std::vector<std::string> arguments{"eval",   "--model", model_.string(), "--dtype", "fp32",
                                       "--data", rows,      "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_hone(arguments);
  }
  /// Log-probability of the last tokens of a text, those that the prompt's own encoding lacks.
  double logprob_after(const std::string& prompt, const std::string& answer) {
    const auto rows = rows_of(
        run_hone({"logprobs", "--model", model_.string(), "--dtype", "fp32", "--input",
                  write({{{"text", prompt}}, {{"text", prompt + answer}}}, "logprobs.jsonl")}));
    double sum = 0;
    for (std::size_t i = rows[0]["logprobs"].size(); i < rows[1]["logprobs"].size(); ++i)
      sum += rows[1]["logprobs"][i].get<double>();
    return sum;
  }

  test::TempFolder folder_;
  std::filesystem::path model_;
};

json chat(const std::string& question, const std::string& answer) {
  return {{"messages", json::array({{{"role", "user"}, {"content", question}},
                                    {{"role", "assistant"}, {"content", answer}}})}};
}

TEST_F(Eval, LossBitsAndAccuracyAreThoseOfTheTokens) {
  const std::vector<json> rows = {{{"input_ids", {5, 6, 7, 8, 9, 10}}},
                                  {{"input_ids", {300, 200, 100}}, {"labels", {-100, -100, 100}}}};
  const std::string file = write(rows);
  const auto logprobs = rows_of(run_hone(
      {"logprobs", "--model", model_.string(), "--dtype", "fp32", "--top", "1", "--input", file}));
  double loss = 0, correct = 0;
  for (std::size_t t = 0; t < 5; ++t) {
    loss -= logprobs[0]["logprobs"][t].get<double>();
    correct += logprobs[0]["top_ids"][t][0] == rows[0]["input_ids"][t + 1];
  }
  loss -= logprobs[1]["logprobs"][1].get<double>();
  correct += logprobs[1]["top_ids"][1][0] == 100;

  const json found =
      result_of(eval(file, {"--metrics", "loss,perplexity,token_accuracy,bits_per_byte"}));
  EXPECT_NEAR(found["eval_loss"], loss / 6, 1e-6);
  EXPECT_NEAR(found["eval_perplexity"], std::exp(loss / 6), 1e-3);
  EXPECT_EQ(found["eval_tokens"], 9);
  EXPECT_EQ(found["eval_trained_tokens"], 6);
  EXPECT_NEAR(found["token_accuracy"], correct / 6, 1e-12);
  const auto decoded =
      rows_of(run_hone({"tokenize", "--decode", "--tokenizer", model_.string(), "--input",
                        write({{{"ids", {6, 7, 8, 9, 10}}}, {{"ids", {100}}}}, "ids.jsonl")}));
  const double bytes = double(decoded[0]["text"].get<std::string>().size() +
                              decoded[1]["text"].get<std::string>().size());
  EXPECT_NEAR(found["bits_per_byte"], loss / std::log(2.0) / bytes, 1e-6);
  const json& interval = found["evaluations"]["eval"]["metrics"]["loss"];
  EXPECT_LT(interval["low"], interval["value"]);
  EXPECT_GT(interval["high"], interval["value"]);
  EXPECT_GT(interval["rows_for_difference"], 0);
}

TEST_F(Eval, BatchesChangeNothing) {
  std::vector<json> rows;
  for (int i = 0; i < 12; ++i)
    rows.push_back({{"text", std::string(3 + 7 * (i % 4), char('a' + i))}});
  const std::string file = write(rows);
  const std::string config =
      folder_
          .write("c.yaml", "model: {base: '" + model_.string() + "'}\ndata: {train: '" + file +
                               "', eval: '" + file + "'}\ntrain: {precision: fp32}\n")
          .string();
  const json wide = result_of(run_hone({"eval", config}));
  const json narrow = result_of(run_hone({"eval", config, "eval.tokens_per_device_batch=1"}));
  EXPECT_NEAR(wide["eval_loss"], narrow["eval_loss"], 1e-5);
  EXPECT_EQ(wide["evaluations"]["eval"]["rows"], 12);
}

TEST_F(Eval, MultipleChoiceComparesLogProbabilities) {
  const std::string prompt = "The sky is";
  const std::vector<std::string> choices = {" blue and wide", " red", " señor"};
  std::vector<double> sums, by_character, by_byte;
  for (const std::string& choice : choices) {
    sums.push_back(logprob_after(prompt, choice));
    by_byte.push_back(sums.back() / double(choice.size()));
    by_character.push_back(sums.back() / double(choice.size() - (choice == " señor")));
  }
  const auto best = [](const std::vector<double>& scores) {
    return std::max_element(scores.begin(), scores.end()) - scores.begin();
  };
  std::vector<json> rows;
  for (int answer = 0; answer < 3; ++answer)
    rows.push_back({{"prompt", prompt}, {"choices", choices}, {"answer", answer}});
  const std::string answers = (folder_ / "answers.jsonl").string();
  const json found =
      result_of(eval(write(rows), {"--metrics", "acc,acc_norm,acc_bytes", "--answers", answers}));
  // Each choice is right once, so one row of three is.
  EXPECT_NEAR(found["acc"], 1.0 / 3, 1e-12);
  const auto outcomes = test::read_jsonl(answers);
  ASSERT_EQ(outcomes.size(), 3u);
  for (std::size_t c = 0; c < choices.size(); ++c)
    EXPECT_NEAR(outcomes[0]["logprobs"][c], sums[c], 1e-4) << choices[c];
  for (const auto& [metric, scores] :
       {std::pair{"acc", &sums}, {"acc_norm", &by_character}, {"acc_bytes", &by_byte}}) {
    const json one = {{"prompt", prompt}, {"choices", choices}, {"answer", best(*scores)}};
    EXPECT_EQ(result_of(eval(write({one}), {"--metrics", metric}))[metric], 1.0) << metric;
  }
}

TEST_F(Eval, AChoiceAfterMessagesFollowsTheGenerationPrompt) {
  const json row = {{"messages", json::array({{{"role", "user"}, {"content", "Yes or no?"}}})},
                    {"choices", {"yes", "no"}},
                    {"answer", 1}};
  const std::string answers = (folder_ / "answers.jsonl").string();
  result_of(eval(write({row}), {"--metrics", "acc", "--answers", answers}));
  const std::string prompt = "<|im_start|>user\nYes or no?<|im_end|>\n<|im_start|>assistant\n";
  const json outcome = test::read_jsonl(answers).front();
  EXPECT_NEAR(outcome["logprobs"][0], logprob_after(prompt, "yes"), 1e-4);
  EXPECT_NEAR(outcome["logprobs"][1], logprob_after(prompt, "no"), 1e-4);
}

TEST_F(Eval, PreferenceComparesTheAnswersAsTrainingHasThem) {
  const json row = {{"prompt", "Say it."}, {"chosen", " All right then."}, {"rejected", " No."}};
  const std::string answers = (folder_ / "answers.jsonl").string();
  const json found =
      result_of(eval(write({row}), {"--metrics", "preference_accuracy,preference_accuracy_norm",
                                    "--answers", answers}));
  const json outcome = test::read_jsonl(answers).front();
  EXPECT_NEAR(outcome["chosen"], logprob_after("Say it.", " All right then.<|im_end|>"), 1e-4);
  EXPECT_NEAR(outcome["rejected"], logprob_after("Say it.", " No.<|im_end|>"), 1e-4);
  EXPECT_EQ(found["preference_accuracy"], outcome["chosen"] > outcome["rejected"] ? 1 : 0);
  const auto tokens = [&](const char* which) {
    return outcome[which].get<double>() / outcome[std::string(which) + "_tokens"].get<double>();
  };
  EXPECT_EQ(found["preference_accuracy_norm"], tokens("chosen") > tokens("rejected") ? 1 : 0);
}

TEST_F(Eval, RewardsAreThoseOfTheScoreHead) {
  model_ = test::write_text_model(folder_, "reward", 3, test::Head::kReward);
  const json row = {{"prompt_ids", {5, 6}}, {"chosen_ids", {7, 8, 9}}, {"rejected_ids", {10}}};
  const json swapped = {{"prompt_ids", {5, 6}}, {"chosen_ids", {10}}, {"rejected_ids", {7, 8, 9}}};
  const std::string answers = (folder_ / "answers.jsonl").string();
  const json found = result_of(
      eval(write({row, swapped}), {"--metrics", "reward_accuracy", "--answers", answers}));
  EXPECT_DOUBLE_EQ(found["reward_accuracy"], 0.5);
  const auto outcomes = test::read_jsonl(answers);
  EXPECT_DOUBLE_EQ(outcomes[0]["chosen"], outcomes[1]["rejected"]);
  EXPECT_NE(outcomes[0]["chosen"], outcomes[0]["rejected"]);
}

TEST_F(Eval, AnswersAreThoseOfGenerate) {
  const std::vector<json> questions = {chat("Hello?", "Good day."),
                                       chat("And a longer one now?", ""), chat("Bye", "x")};
  std::vector<json> prompts = questions;
  for (json& row : prompts) row["messages"].erase(1);
  const auto generated = rows_of(
      run_hone({"generate", "--model", model_.string(), "--dtype", "fp32", "--max-new-tokens", "9",
                "--json", "--input", write(prompts, "prompts.jsonl"), "--stop", "e"}));
  const std::string answers = (folder_ / "answers.jsonl").string();
  result_of(eval(write(questions), {"--metrics", "rouge_l,bleu,exact_match", "--max-new-tokens",
                                    "9", "--answers", answers, "--stop", "e"}));
  const auto outcomes = test::read_jsonl(answers);
  ASSERT_EQ(outcomes.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(outcomes[i]["given"], generated[i]["text"]);
    EXPECT_FALSE(contains(generated[i]["text"].get<std::string>(), "e")) << "the stop text is cut";
    EXPECT_EQ(outcomes[i]["expected"], questions[i]["messages"][1]["content"]);
  }
}

TEST_F(Eval, AnswersOfTheModelItselfMatchInEveryWay) {
  // Rows whose answer is what the model says, up to where it is cut by a stop text.
  const json asked = {{"messages", json::array({{{"role", "user"}, {"content", "Go"}}})}};
  const auto said =
      rows_of(run_hone({"generate", "--model", model_.string(), "--dtype", "fp32", "--json",
                        "--max-new-tokens", "30", "--input", write({asked}, "prompts.jsonl")}));
  std::string text = said[0]["text"];
  const std::string stop = test::ascii_piece(text, 2);
  text = text.substr(0, text.find(stop));
  const std::string file = write({chat("Go", text)});
  const json found =
      result_of(eval(file, {"--metrics", "exact_match,rouge_l,regex_match", "--stop", stop,
                            "--max-new-tokens", "30", "--pattern", "(?s)^(.*)$"}));
  EXPECT_EQ(found["exact_match"], 1.0);
  EXPECT_EQ(found["exact_match_rows"], 1);
  EXPECT_EQ(found["regex_match"], 1.0);
  EXPECT_GT(found["generated_tokens_per_s"], 0);
}

TEST_F(Eval, RowsWithoutWhatAMetricNeedsAreNamed) {
  const auto refused = [&](const std::vector<json>& rows, const std::vector<std::string>& more,
                           const std::vector<std::string>& parts) {
    const Finished finished = eval(write(rows), more);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    for (const std::string& part : parts) EXPECT_TRUE(contains(finished.err, part));
  };
  const json open = {{"messages", json::array({{{"role", "user"}, {"content", "Hm?"}}})}};
  refused({chat("a", "b"), open}, {"--metrics", "exact_match"}, {"rows.jsonl:2", "answer"});
  const json choice = {{"prompt", "p"}, {"choices", {"a", "b"}}, {"answer", 1}};
  for (const auto& [key, value] : std::vector<std::pair<std::string, json>>{{"answer", 2},
                                                                            {"answer", "b"},
                                                                            {"choices", {"a"}},
                                                                            {"choices", {"a", ""}},
                                                                            {"prompt", 3}}) {
    json wrong = choice;
    wrong[key] = value;
    refused({choice, wrong}, {"--metrics", "acc"}, {"rows.jsonl:2", key});
  }
  refused({chat("a", "b")}, {"--metrics", "preference_accuracy"}, {"rows.jsonl:1", "chosen"});
}

TEST_F(Eval, WhatAModelCannotShowIsRefusedBeforeItIsRead) {
  // Weights that are no weights: the refusal comes first.
  const auto spoil = [&] { folder_.write(model_.filename().string() + "/model.safetensors", "x"); };
  const std::string file = write({chat("a", "b")});
  spoil();
  Finished finished = eval(file, {"--metrics", "reward_accuracy"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "reward model"));
  finished = eval(file, {"--metrics", "regex_match"});
  EXPECT_TRUE(contains(finished.err, "--pattern"));
  finished = eval(file, {"--metrics", "regex_match", "--pattern", "a("});
  EXPECT_TRUE(contains(finished.err, "does not compile"));
  finished = eval(file, {"--metrics", "json_schema_match", "--schema", "/no/schema"});
  EXPECT_TRUE(contains(finished.err, "/no/schema"));
  finished = eval(file, {"--metrics", "exact_mach"});
  EXPECT_EQ(finished.exit_code, 2);

  model_ = test::write_text_model(folder_, "reward", 3, test::Head::kReward);
  spoil();
  finished = eval(file, {"--metrics", "perplexity"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "language model"));
}

TEST_F(Eval, OneRowHasAFigureButNoInterval) {
  const Finished finished = eval(write({{{"text", "alone"}}}), {});
  const json found = result_of(finished);
  const json& loss = found["evaluations"]["eval"]["metrics"]["loss"];
  EXPECT_TRUE(loss["value"].is_number());
  for (const char* key : {"low", "high", "rows_for_difference"}) EXPECT_TRUE(loss[key].is_null());
  EXPECT_TRUE(contains(finished.err, "one row: no interval"));
}

TEST_F(Eval, LimitTakesTheFirstRows) {
  const std::string file = write({chat("a", "b"), chat("c", "d"), chat("e", "f")});
  for (const char* metrics : {"loss", "rouge_l"}) {
    const json found =
        result_of(eval(file, {"--metrics", metrics, "--limit", "2", "--max-new-tokens", "2"}));
    EXPECT_EQ(found["evaluations"]["eval"]["rows"], 2) << metrics;
  }
}

TEST_F(Eval, ASuiteRunsEachOfItsEvaluations) {
  const std::string texts = write({{{"text", "one text"}}, {{"text", "another, longer text"}}});
  const std::string choices =
      write({{{"prompt", "p"}, {"choices", {"a", "b"}}, {"answer", 0}}}, "choices.jsonl");
  const std::string config =
      folder_
          .write("c.yaml", "model: {base: '" + model_.string() + "'}\ndata: {train: '" + texts +
                               "'}\ntrain: {precision: fp32}\neval:\n  suite:\n"
                               "    - {name: general, data: '" +
                               texts +
                               "', metrics: [perplexity, bits_per_byte]}\n"
                               "    - {name: quiz, data: '" +
                               choices + "', metrics: acc}\n")
          .string();
  const Finished finished = run_hone({"eval", config});
  const json found = result_of(finished);
  EXPECT_EQ(found["evaluations"]["general"]["rows"], 2);
  EXPECT_TRUE(found["evaluations"]["quiz"]["metrics"].contains("acc"));
  EXPECT_FALSE(found.contains("eval_loss")) << "there is no data.eval";
  EXPECT_TRUE(contains(finished.err, "a difference of 2 points would need"));
}

TEST_F(Eval, ASuitesMistakesAreToldWithTheConfig) {
  const std::string texts = write({{{"text", "one text"}}});
  const std::string config =
      folder_
          .write("c.yaml", "model: {base: '" + model_.string() + "'}\ndata: {train: '" + texts +
                               "'}\neval:\n  suite:\n    - {name: a b, data: '" + texts +
                               "', metrics: perplexty}\n    - {name: x, data: '" + texts +
                               "', metrics: regex_match}\n    - {name: x, data: /no/file}\n")
          .string();
  const Finished finished = run_hone({"eval", config});
  EXPECT_EQ(finished.exit_code, 2);
  for (const char* part : {"perplexty", "perplexity", "/no/file"})
    EXPECT_TRUE(contains(finished.err, part));
}

TEST(EvalTraining, TheSuiteIsMeasuredAtTheStartAndAtCheckpoints) {
  const test::TinyRun run("{method: lora, r: 4}");
  const std::string rows = test::fixture("train/data/sft.jsonl").string();
  const std::string suite =
      "eval.suite=[{name: same, data: '" + rows + "', metrics: [loss, token_accuracy], limit: 20}]";
  const Finished finished =
      run_hone(run.train({suite, "eval.eval_steps=10", "optim.learning_rate=1e-2"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::vector<json> evaluations;
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl"))
    if (line.contains("eval_same/loss")) evaluations.push_back(line);
  ASSERT_EQ(evaluations.size(), 3u);
  EXPECT_EQ(evaluations[0]["step"], 0);
  EXPECT_EQ(evaluations[1]["step"], 10);
  EXPECT_EQ(evaluations[2]["step"], 20);
  EXPECT_LT(evaluations[2]["eval_same/loss"], evaluations[0]["eval_same/loss"]);
  EXPECT_TRUE(contains(finished.err, "same/loss"));
  EXPECT_TRUE(contains(finished.err, "better"));

  // The start is the base model, as hone eval measures it; --compare-base says the same of both.
  const json compared = result_of(run_hone({"eval", run.config, suite, "--compare-base",
                                            "--adapter", (run.output() / "adapter").string()}));
  const json& loss = compared["evaluations"]["same"]["metrics"]["loss"];
  EXPECT_NEAR(loss["base"]["value"], evaluations[0]["eval_same/loss"], 1e-6);
  EXPECT_NEAR(loss["value"], evaluations[2]["eval_same/loss"], 1e-5);
  EXPECT_EQ(loss["difference"]["verdict"], "better");
  EXPECT_LT(loss["difference"]["high"], 0);
}

TEST(EvalTraining, AResumedRunComparesWithTheSameStart) {
  const test::TinyRun run("{method: lora, r: 4}");
  const std::string suite = "eval.suite=[{name: same, data: '" +
                            test::fixture("train/data/sft.jsonl").string() + "', limit: 8}]";
  ASSERT_EQ(
      run_hone(run.train({suite, "train.max_steps=20", "checkpoint.save_steps=10"})).exit_code, 0);
  const auto metrics = run.output() / "metrics.jsonl";
  const auto whole = test::read_jsonl(metrics);
  std::vector<std::string> again = run.train({suite, "train.max_steps=20"});
  again.insert(again.end(), {"--resume", (run.output() / "checkpoints/step-10").string()});
  const Finished finished = run_hone(again);
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto resumed = test::read_jsonl(metrics);
  EXPECT_EQ(resumed.size(), whole.size()) << "the start stands there once";
  EXPECT_EQ(resumed.back(), whole.back());
  EXPECT_TRUE(contains(finished.err, "same/loss"));
}

TEST(EvalTraining, NothingIsMeasuredWithoutRows) {
  const test::TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone({"eval", run.config});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "nothing to evaluate on"));
}

}  // namespace
}  // namespace hone
