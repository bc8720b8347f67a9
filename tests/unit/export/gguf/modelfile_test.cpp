#include "export/modelfile.h"

#include "base/file.h"
#include "support/support.h"
#include "tokenizer/named_template.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using test::contains;

fs::path tokenizer() { return test::fixture("tokenizers/qwen2_nfc"); }

std::optional<TurnFormat> format_of(const char* name) {
  return find_turn_format(std::string(tokenizer::find_named_template(name)->source), tokenizer());
}

TEST(Modelfile, FindsTheTurnsOfChatml) {
  const auto format = format_of("chatml");
  ASSERT_TRUE(format);
  EXPECT_EQ(format->user.before, "<|im_start|>user\n");
  EXPECT_EQ(format->user.after, "<|im_end|>\n");
  EXPECT_EQ(format->assistant.before, "<|im_start|>assistant\n");
  EXPECT_EQ(format->without_system, "");
}

TEST(Modelfile, FindsASystemMessageThatTheTemplateAdds) {
  const std::string source =
      "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|s|>Be kind.<|e|>"
      "{% endif %}<|{{ m['role'] }}|>{{ m['content'] }}<|e|>{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>{% endif %}";
  const auto format = find_turn_format(source, tokenizer());
  ASSERT_TRUE(format);
  EXPECT_EQ(format->without_system, "<|s|>Be kind.<|e|>");
  EXPECT_EQ(format->go_template(),
            "{{ if not .System }}<|s|>Be kind.<|e|>{{ end }}"
            "{{ range $i, $_ := .Messages }}"
            "{{ if eq .Role \"system\" }}<|system|>{{ .Content }}<|e|>"
            "{{ else if eq .Role \"user\" }}<|user|>{{ .Content }}<|e|>"
            "{{ else if eq .Role \"assistant\" }}<|assistant|>{{ .Content }}<|e|>{{ end }}"
            "{{ if and (eq (len (slice $.Messages $i)) 1) (ne .Role \"assistant\") }}<|assistant|>"
            "{{ end }}{{ end }}");
}

// Llama 2 puts the system message into the user's turn; a template may also drop earlier turns.
TEST(Modelfile, LeavesOutTemplatesThatDoMore) {
  EXPECT_FALSE(format_of("llama2"));
  const std::string last_only =
      "{% for m in messages %}{% if loop.last %}<{{ m['role'] }}>{{ m['content'] }};{% endif %}"
      "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
  EXPECT_FALSE(find_turn_format(last_only, tokenizer()));
}

TEST(Modelfile, SaysWhatOllamaIsToLoad) {
  const std::string chatml(tokenizer::find_named_template("chatml")->source);
  const std::string text = modelfile_text({.from = "/models/base.gguf",
                                           .adapter = "./adapter-f32.gguf",
                                           .chat_template = chatml,
                                           .stop_texts = {"<|im_end|>"},
                                           .context_length = 2048,
                                           .license = "apache-2.0"},
                                          tokenizer());
  EXPECT_TRUE(text.starts_with("FROM /models/base.gguf\nADAPTER ./adapter-f32.gguf\nTEMPLATE "));
  EXPECT_TRUE(contains(text, "\"\"\"\nPARAMETER stop \"<|im_end|>\"\nPARAMETER num_ctx 2048\n"));
  EXPECT_TRUE(contains(text, "LICENSE \"\"\"apache-2.0\"\"\"\n"));
  const std::string plain = modelfile_text({.from = "./model.gguf",
                                            .adapter = {},
                                            .chat_template = {},
                                            .stop_texts = {},
                                            .context_length = 131072,
                                            .license = {}},
                                           {});
  EXPECT_EQ(plain, "FROM ./model.gguf\nPARAMETER num_ctx 8192\n");
}

TEST(Modelfile, ReadsALicenceFromAReadme) {
  const test::TempFolder folder;
  EXPECT_EQ(license_of(folder.path()), "");
  folder.write("README.md", "---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n");
  EXPECT_EQ(license_of(folder.path()), "apache-2.0");
  folder.write("README.md", "# A model\nlicense: none\n");
  EXPECT_EQ(license_of(folder.path()), "");
}

}  // namespace
}  // namespace hone::exporting
