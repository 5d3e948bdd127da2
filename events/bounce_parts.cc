// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_parts.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "events/bounce_footer.h"
#include "events/bounce_returned.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

bool is_returned(const std::string& type) {
  return type == "message/rfc822" || type == "text/rfc822-headers" ||
         type == "text/rfc822-header" || type == "message/rfc822-headers" ||
         type == "message/global" || type == "message/global-headers" || type == "message/news";
}

bool has_line(std::string_view text, std::string_view lower_start) {
  for (std::size_t at = 0; at < text.size();) {
    if (equals_ignoring_case(text.substr(at, lower_start.size()), lower_start)) return true;
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return false;
    at = end + 1;
  }
  return false;
}

void add_dsn(ReportParts& out, std::string_view text) {
  auto report = parse_dsn(text);
  if (!report) return;
  if (!report->rest.empty() && out.returned.empty()) out.returned = returned_headers(report->rest);
  report->rest = {};
  out.dsns.push_back(std::move(*report));
}

// The fields stand in the text: what is before them is the report for people.
void add_embedded_dsn(ReportParts& out, const std::string& plain) {
  add_dsn(out, plain);
  out.dsn_in_text = !out.dsns.empty();
  const std::string low = to_lower(out.text);
  for (const std::string_view field : {"\nreporting-mta:", "\nfinal-recipient:"})
    if (const std::size_t at = low.find(field); at != std::string::npos && at < out.text.size())
      out.text.resize(at);
}

struct Entity {
  std::string_view name, text;
};
constexpr Entity kEntities[] = {{"&lt;", "<"},   {"&gt;", ">"},   {"&amp;", "&"},  {"&quot;", "\""},
                                {"&nbsp;", " "}, {"&#39;", "'"},  {"&#43;", "+"},  {"&apos;", "'"},
                                {"&#64;", "@"},  {"&#160;", " "}, {"&rsquo;", "'"}};

// "&#64;", "&#x40;" at the start of `html`: the character where it is ASCII, else blank, and the
// length of the entity; 0: none.
std::pair<char, std::size_t> numeric_entity(std::string_view html) {
  if (!html.starts_with("&#")) return {};
  const bool hex = html.substr(2, 1) == "x" || html.substr(2, 1) == "X";
  const char* const begin = html.data() + (hex ? 3 : 2);
  const char* const last = html.data() + std::min<std::size_t>(html.size(), 10);
  unsigned code = 0;
  const auto [end, error] = std::from_chars(std::min(begin, last), last, code, hex ? 16 : 10);
  if (error != std::errc() || end == html.data() + html.size() || *end != ';') return {};
  return {code >= 0x20 && code < 0x80 ? static_cast<char>(code) : ' ',
          static_cast<std::size_t>(end + 1 - html.data())};
}

bool ends_line(std::string_view tag) {
  static constexpr std::string_view kTags[] = {"br",  "p",  "/p",  "div", "/div", "tr",
                                               "/tr", "li", "/li", "td",  "/td",  "h1",
                                               "h2",  "h3", "hr",  "pre"};
  tag = tag.substr(0, tag.find_first_of(" \t\r\n>"));
  if (tag.ends_with('/')) tag.remove_suffix(1);
  return std::any_of(std::begin(kTags), std::end(kTags),
                     [&](std::string_view known) { return equals_ignoring_case(tag, known); });
}

}  // namespace

std::string html_to_text(std::string_view html) {
  std::string out;
  out.reserve(html.size() / 2);
  for (std::size_t at = 0; at < html.size();) {
    if (html[at] == '<') {
      const std::string name = to_lower(html.substr(at + 1, 6));
      const std::string_view close = name.starts_with("style")    ? "</style"
                                     : name.starts_with("script") ? "</script"
                                                                  : ">";
      if (ends_line(html.substr(at + 1, 12))) out += '\n';
      const std::size_t end = html.find(close, at);
      if (end == std::string_view::npos) break;
      at = std::min(html.find('>', end), html.size() - 1) + 1;
    } else if (html[at] == '&') {
      const auto entity =
          std::find_if(std::begin(kEntities), std::end(kEntities),
                       [&](const Entity& e) { return html.substr(at).starts_with(e.name); });
      if (entity != std::end(kEntities)) {
        out += entity->text;
        at += entity->name.size();
      } else {
        const auto [character, length] = numeric_entity(html.substr(at));
        out += length == 0 ? '&' : character;
        at += std::max<std::size_t>(length, 1);
      }
    } else {
      out += html[at++];
    }
  }
  return out;
}

ReportParts collect_report(const Mail& mail) {
  ReportParts out;
  std::string plain, html;
  bool after_returned = false;
  for (const MimePart& part : mail.parts) {
    if (part.type == "message/delivery-status" || part.type == "message/global-delivery-status") {
      add_dsn(out, part.text);
    } else if (part.type == "message/feedback-report") {
      if (auto report = parse_feedback_report(part.text))
        out.feedback.push_back(std::move(*report));
    } else if (part.type == "message/disposition-notification") {
      if (out.receipt.empty()) out.receipt = parse_headers(part.text);
    } else if (is_returned(part.type)) {
      after_returned = true;
      if (out.returned.empty()) out.returned = returned_headers(part.text);
      out.returned_is_part = out.returned_is_part || !out.returned.empty();
    } else if (part.type == "text/html") {
      if (html.empty() && !after_returned) html = html_to_text(part.text);
    } else if ((part.type.starts_with("text/") || part.type == "application/json") &&
               !after_returned && plain.size() < kMaxPartText) {
      plain.append(part.text).append(1, '\n');
    }
  }
  if (trim(plain).empty()) plain = std::move(html);
  SplitReport split = split_report(plain);
  if (out.returned.empty()) out.returned = returned_headers(split.returned);
  // A report that is forwarded stands where else the returned message does.
  if (trim(split.report).empty() && out.returned.empty()) split.report = plain;
  out.text = without_scanner_footers(split.report);
  // A mail whose MIME structure is broken has its parts in the text.
  if (out.dsns.empty() &&
      (has_line(plain, "final-recipient:") || has_line(plain, "reporting-mta:")))
    add_embedded_dsn(out, plain);
  if (out.feedback.empty() && has_line(plain, "feedback-type:")) {
    const std::size_t at = to_lower(plain).find("feedback-type:");
    if (auto report = parse_feedback_report(std::string_view(plain).substr(at)))
      out.feedback.push_back(std::move(*report));
  }
  return out;
}

}  // namespace ipmit::events
