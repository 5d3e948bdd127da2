// SPDX-License-Identifier: Apache-2.0
#include "schema/record_text.h"

#include <gtest/gtest.h>

namespace ipmit::schema {
namespace {

struct TextRow {
  const char* name;
  std::string_view bytes;
  std::size_t most;
  std::string_view want;
};

const TextRow kTexts[] = {
    {"plain", "37 of 50", 100, "37 of 50"},
    {"empty", "", 100, ""},
    {"not UTF-8", "a\xff\xc3", 100, "a\xef\xbf\xbd\xef\xbf\xbd"},
    {"zero and control characters", std::string_view("a\0b\x1b[1m\x7f\r\n\t", 11), 100,
     "a b [1m  \n\t"},
    {"just fits", "abcdef", 6, "abcdef"},
    {"one too long", "abcdefg", 6, "abc\xe2\x80\xa6"},
    {"never half a character", "ab\xc3\xa4\xc3\xa4", 5, "ab\xe2\x80\xa6"},
};

TEST(ReadableText, IsTextThatEveryDatabaseHolds) {
  for (const TextRow& row : kTexts)
    EXPECT_EQ(readable_text(row.bytes, row.most), row.want) << row.name;
}

struct EvidenceRow {
  const char* name;
  const char* bytes;
  const char* want;
};

const EvidenceRow kEvidence[] = {
    {"log line", "4XyZ: to=<bob.smith+x@example.com>, orig_to=<root@example.net>, status=bounced",
     "4XyZ: to=<*@example.com>, orig_to=<*@example.net>, status=bounced"},
    {"address literal", "RCPT TO:<bob@[192.0.2.1]>", "RCPT TO:<*@[192.0.2.1]>"},
    {"DSN field", "Final-Recipient: rfc822;bob@example.com",
     "Final-Recipient: rfc822;*@example.com"},
    {"quoted local part", "<\"bob smith\"@example.com>", "<*@example.com>"},
    {"a quote that never began", "bob\"@example.com", "bob\"@example.com"},
    {"verp", "from=<list+bob=example.org@example.com>", "from=<*@example.com>"},
    {"UTF-8 local part", "<j\xc3\xb6rg@example.com>", "<*@example.com>"},
    {"two in a row", "bob@example.com@example.net", "*@*@example.net"},
    {"at the very start", "@example.com", "@example.com"},
    {"none", "550 5.1.1 unknown", "550 5.1.1 unknown"},
};

TEST(ReadableEvidence, HasNoLocalParts) {
  for (const EvidenceRow& row : kEvidence)
    EXPECT_EQ(readable_evidence(row.bytes), row.want) << row.name;
}

TEST(ReadableEvidence, IsCut) {
  const std::string text = readable_evidence(std::string(1'000'000, 'x'));
  EXPECT_EQ(text.size(), 16'384U);
  EXPECT_TRUE(text.ends_with("x\xe2\x80\xa6"));
}

}  // namespace
}  // namespace ipmit::schema
