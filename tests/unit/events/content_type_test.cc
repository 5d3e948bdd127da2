// SPDX-License-Identifier: Apache-2.0
#include "events/content_type.h"

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

TEST(ContentType, ReadsThePlainForm) {
  const auto type = read_plain_content_type(
      " Multipart/Report; Report-Type=Delivery-Status;\r\n\tcharset=\"UTF-8\"; x=y;\r\n"
      "\tboundary=\"A/b c;d\" ; ");
  ASSERT_TRUE(type);
  EXPECT_EQ(type->type, "multipart/report");
  EXPECT_TRUE(type->is_multipart());
  EXPECT_EQ(type->report_type, "delivery-status");
  EXPECT_EQ(type->charset, "utf-8");
  EXPECT_EQ(type->boundary, "A/b c;d");
  ASSERT_TRUE(read_plain_content_type("text/plain"));
  EXPECT_FALSE(read_plain_content_type("text/plain")->is_multipart());
}

TEST(ContentType, LeavesAllElseToAParser) {
  for (const char* value :
       {"", "text", "text/", "/plain", "text / plain", "text/plain (comment)", "text/plain x",
        "text/plain; charset", "text/plain; charset=", "text/plain; charset=\"a", "text/plain;;",
        "text/plain; =a", "text/plain; name*=utf-8''a", "multipart/mixed; boundary=a=b",
        "multipart/mixed; boundary=a; boundary=b", "multipart/mixed; boundary=\"a\\\"b\"",
        "text/plain; name=\"=?utf-8?q?a?=\"", "text/plain; name=\"\xC3\xA9\"",
        "text/plain; charset=utf-8 x=y"})
    EXPECT_FALSE(read_plain_content_type(value)) << value;
}

}  // namespace
}  // namespace ipmit::events
