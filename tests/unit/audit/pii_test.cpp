#include "datasets/audit/pii.h"

#include <gtest/gtest.h>

#include "datasets/audit/text_faults.h"

namespace hone::datasets::audit {
namespace {

using Texts = std::vector<std::string>;

Texts found(std::string_view name, std::string_view text) {
  for (const PiiKind& kind : pii_kinds()) {
    if (kind.name != name) continue;
    Texts texts;
    for (const auto range : kind.find(text))
      texts.emplace_back(text.substr(range.begin, range.size()));
    return texts;
  }
  ADD_FAILURE() << "no kind " << name;
  return {};
}

TEST(Pii, EmailsAreFoundAndLookalikesAreNot) {
  EXPECT_EQ(found("email", "Write to jo.doe+x@mail.acme-corp.co.uk, or <a@b.de>."),
            (Texts{"jo.doe+x@mail.acme-corp.co.uk", "a@b.de"}));
  for (const char* text : {"user@example.com", "a@localhost", "@handle", "a @ b.de",
                           "git@host:repo", "foo@bar", "x@y.test", "decorator @app.route"})
    EXPECT_EQ(found("email", text), Texts{}) << text;
}

TEST(Pii, PhoneNumbersAreFoundAndOtherNumbersAreNot) {
  for (const char* text :
       {"+49 30 1234567", "+1 (555) 123-4567", "(030) 123 4567", "0049 30 1234567"})
    EXPECT_EQ(found("phone", std::string("Ring ") + text + ".").size(), 1u) << text;
  EXPECT_EQ(found("phone", "call 555-123-4567 now"), Texts{"555-123-4567"});
  EXPECT_EQ(found("phone", "Tel: 030 1234567"), Texts{"030 1234567"});
  for (const char* text : {"order 8752 never arrived", "2025-06-13 10:30", "3 + 4567890 = x",
                           "12345678901", "1,234,567", "10.0.0.1", "00123", "call 911"})
    EXPECT_EQ(found("phone", text), Texts{}) << text;
}

TEST(Pii, CardsPassLuhnAndBeginLikeCards) {
  for (const char* text : {"4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005",
                           "3782 822463 10005", "6011111111111117"})
    EXPECT_EQ(found("card", std::string("Card ") + text + ", thanks"), Texts{text});
  for (const char* text : {"4111 1111 1111 1112",     // Luhn fails
                           "order 1234567812345670",  // Luhn holds, no network begins with 12
                           "4111 1111-1111 1111",     // mixed separators
                           "94111111111111111",       // longer number
                           "3.4111111111111111",      // decimals
                           "id-4111111111111111-7", "٤١١١١١١١١١١١١١١١"})
    EXPECT_EQ(found("card", text), Texts{}) << text;
}

TEST(Pii, LuhnIsThatOfTheStandard) {
  EXPECT_TRUE(passes_luhn("79927398713"));
  for (const char* wrong : {"79927398710", "79927398711", "79927398712", "79927398714"})
    EXPECT_FALSE(passes_luhn(wrong)) << wrong;
}

TEST(Pii, IbansPassModulo97) {
  EXPECT_EQ(found("iban", "Pay to DE89 3704 0044 0532 0130 00 by May"),
            Texts{"DE89 3704 0044 0532 0130 00"});
  EXPECT_EQ(found("iban", "GB82WEST12345698765432."), Texts{"GB82WEST12345698765432"});
  EXPECT_EQ(found("iban", "NO93 8601 1117 947 PAID"), Texts{"NO93 8601 1117 947"});
  for (const char* text : {"DE89 3704 0044 0532 0130 01", "DE12 ABCD EFGH 1234 5678 90",
                           "XX82WEST12345698765432", "GB82WEST1234569876543"})
    EXPECT_EQ(found("iban", text), Texts{}) << text;
}

TEST(Pii, AddressesAreThoseThatAreRouted) {
  EXPECT_EQ(found("ip", "from 8.8.8.8 and [2606:4700::1111]"),
            (Texts{"8.8.8.8", "2606:4700::1111"}));
  EXPECT_EQ(found("ip", "host 93.184.216.34:8080"), Texts{"93.184.216.34"});
  for (const char* text :
       {"version 1.2.3.4", "v8.8.8.8", "Firmware: 8.8.8.8", "section 4.3.2.1", "10.1.2.3",
        "192.168.0.1", "127.0.0.1", "198.51.100.7", "1.2.3.4.5", "300.1.2.3", "8.8.8.8-beta",
        "std::cout", "a::b", "12:30:45", "00:1A:2B:3C:4D:5E", "2001:db8::1", "fe80::1", "::1"})
    EXPECT_EQ(found("ip", text), Texts{}) << text;
}

TEST(Pii, RedactionReplacesAllOfItAndNothingElse) {
  EXPECT_EQ(with_pii_redacted("Mail a@b.de or b@c.de, card 4111111111111111, order 8752."),
            "Mail [EMAIL] or [EMAIL], card [CARD], order 8752.");
  EXPECT_EQ(with_pii_redacted("nothing here"), "nothing here");
  EXPECT_EQ(masked("jo@b.de"), "jo•••••");
  EXPECT_EQ(masked(""), "");
}

}  // namespace
}  // namespace hone::datasets::audit
