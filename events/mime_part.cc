// SPDX-License-Identifier: Apache-2.0
#include "events/mime_part.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include <gmime/gmime.h>

namespace ipmit::events {
namespace {

struct Unref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using Owned = std::unique_ptr<T, Unref>;

struct Free {
  void operator()(char* text) const { g_free(text); }
};

void start_gmime() {
  static std::once_flag once;
  std::call_once(once, [] { g_mime_init(); });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string to_lower(const char* text) {
  std::string out(text == nullptr ? "" : text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool contains_ignoring_case(std::string_view text, std::string_view lower_needle) {
  return std::search(text.begin(), text.end(), lower_needle.begin(), lower_needle.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

// What a line costs GMime: an object a boundary, a container or a header field.
struct LineCounts {
  std::size_t boundaries = 0, containers = 0, fields = 0;

  // False: this line is one too many.
  bool add(std::string_view line) {
    if (line.size() >= 2 && line[0] == '-' && line[1] == '-')
      return ++boundaries <= kMaxBoundaryLines;
    const std::string_view head = line.substr(0, 100);
    if (!head.empty() && (lower(head[0]) == 'c' || head[0] == ' ' || head[0] == '\t') &&
        contains_ignoring_case(head, "multipart/") && ++containers > kMaxContainers)
      return false;
    const std::size_t end = head.find_first_of(": \t");
    return end == std::string_view::npos || end == 0 || head[end] != ':' ||
           ++fields <= kMaxFieldLines;
  }
};

// What is given to GMime: the mail up to its limits, of its header the MIME fields alone, and each
// message/rfc822 part under a name that GMime takes for a leaf. GMime makes an object of every
// header field, and those of the mail and of the message it returns would take most of the time.
constexpr std::string_view kReturned = "message/rfc822", kReturnedLeaf = "message/x-leaf";

class Trim {
 public:
  explicit Trim(std::string_view bytes) {
    const std::string_view kept = bytes.substr(0, kMaxMailBytes);
    text_.reserve(kept.size());
    LineCounts counts;
    std::size_t start = 0;
    while (start < kept.size()) {
      const std::size_t end = std::min(kept.find('\n', start), kept.size());
      const std::string_view line = kept.substr(start, end - start);
      if (!counts.add(line)) break;
      const std::size_t next = std::min(end + 1, kept.size());
      copy(line, kept.substr(start, next - start));
      start = next;
    }
    cut_ = start != bytes.size();
  }

  const std::string& text() const { return text_; }
  bool cut() const { return cut_; }

 private:
  enum class State { kTop, kPart, kBody };

  void copy(std::string_view line, std::string_view with_end) {
    if (line.empty() || line == "\r") state_ = State::kBody;
    if (line.starts_with("--") && state_ != State::kTop) state_ = State::kPart;
    const bool folded = !line.empty() && (line[0] == ' ' || line[0] == '\t');
    if (state_ == State::kTop && !folded)
      dropping_ = !contains_ignoring_case(line.substr(0, 12), "content-") &&
                  line.find(':') != std::string_view::npos;
    if (state_ == State::kTop && dropping_) return;
    if (state_ != State::kBody && (folded || lower(line[0]) == 'c') && copy_renamed(with_end))
      return;
    text_ += with_end;
  }
  bool copy_renamed(std::string_view line) {
    const auto at = std::search(line.begin(), line.end(), kReturned.begin(), kReturned.end(),
                                [](char a, char b) { return lower(a) == b; });
    if (at == line.end()) return false;
    text_.append(line.begin(), at).append(kReturnedLeaf);
    text_.append(at + static_cast<std::ptrdiff_t>(kReturned.size()), line.end());
    return true;
  }

  std::string text_;
  State state_ = State::kTop;
  bool cut_ = false, dropping_ = false;
};

bool is_report_text(const std::string& type) {
  return type.starts_with("text/") || type.starts_with("message/") || type == "application/json";
}

bool keeps_charset(std::string_view charset) {
  return charset.empty() || charset == "utf-8" || charset == "us-ascii" ||
         charset.starts_with("iso-8859-") || charset.starts_with("windows-125");
}

// Reports are ASCII but for a few languages; only multi-byte charsets hide ASCII from a reader.
std::string to_utf8(std::string text, GMimeObject* part) {
  const std::string charset = to_lower(g_mime_object_get_content_type_parameter(part, "charset"));
  if (keeps_charset(charset)) return text;
  const iconv_t descriptor = g_mime_iconv_open("UTF-8", charset.c_str());
  if (descriptor == reinterpret_cast<iconv_t>(-1)) return text;
  std::unique_ptr<char, Free> converted(g_mime_iconv_strndup(descriptor, text.data(), text.size()));
  g_mime_iconv_close(descriptor);
  return converted ? std::string(converted.get()) : text;
}

std::string raw_content(GMimeDataWrapper* content) {
  GMimeStream* stream = g_mime_data_wrapper_get_stream(content);  // stays the wrapper's
  const gint64 length = stream == nullptr ? 0 : g_mime_stream_length(stream);
  if (length <= 0) return {};
  // Base64 of kMaxPartText bytes, line ends included, is shorter than this.
  std::string raw(std::min(static_cast<std::size_t>(length), kMaxPartText * 3 / 2), '\0');
  g_mime_stream_reset(stream);
  const ssize_t got = g_mime_stream_read(stream, raw.data(), raw.size());
  raw.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return raw;
}

std::string decoded_text(GMimePart* part) {
  GMimeDataWrapper* content = g_mime_part_get_content(part);
  if (content == nullptr) return {};
  std::string raw = raw_content(content);
  const GMimeContentEncoding encoding = g_mime_data_wrapper_get_encoding(content);
  if (encoding == GMIME_CONTENT_ENCODING_BASE64 ||
      encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
      encoding == GMIME_CONTENT_ENCODING_UUENCODE) {
    GMimeEncoding state;
    g_mime_encoding_init_decode(&state, encoding);
    std::string text(g_mime_encoding_outlen(&state, raw.size()), '\0');
    text.resize(g_mime_encoding_step(&state, raw.data(), raw.size(), text.data()));
    raw = std::move(text);
  }
  raw.resize(std::min(raw.size(), kMaxPartText));
  return to_utf8(std::move(raw), GMIME_OBJECT(part));
}

bool is_mbox_separator(std::string_view line) {
  if (!line.starts_with("From ")) return false;
  line.remove_prefix(5);
  line = line.substr(std::min(line.find(' '), line.size()));
  line = line.substr(std::min(line.find_first_not_of(' '), line.size()));
  static constexpr std::string_view kDays = "Mon Tue Wed Thu Fri Sat Sun ";
  return line.size() > 12 && kDays.find(line.substr(0, 4)) % 4 == 0;
}

std::string unfold(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (const char c : raw.substr(0, kMaxHeaderValue)) {
    if (c == '\r' || c == '\n') continue;
    if ((c == ' ' || c == '\t') && (out.empty() || out.back() == ' ')) continue;
    out += c == '\t' ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string type_of(GMimeObject* object) {
  GMimeContentType* type = g_mime_object_get_content_type(object);
  return to_lower(g_mime_content_type_get_media_type(type)) + "/" +
         to_lower(g_mime_content_type_get_media_subtype(type));
}

// Leaves in order; recursion is bounded by kMaxContainers.
void collect(GMimeObject* object, std::vector<MimePart>& parts) {
  if (GMIME_IS_MULTIPART(object)) {
    GMimeMultipart* multipart = GMIME_MULTIPART(object);
    const int count = g_mime_multipart_get_count(multipart);
    for (int i = 0; i < count; ++i) collect(g_mime_multipart_get_part(multipart, i), parts);
    const char* prologue = count == 0 ? g_mime_multipart_get_prologue(multipart) : nullptr;
    if (prologue != nullptr)
      parts.push_back(
          {"text/plain", std::string(std::string_view(prologue).substr(0, kMaxPartText))});
  } else if (GMIME_IS_PART(object)) {
    MimePart part{type_of(object), {}};
    if (part.type == kReturnedLeaf) part.type = kReturned;
    if (is_report_text(part.type)) part.text = decoded_text(GMIME_PART(object));
    parts.push_back(std::move(part));
  }
}

}  // namespace

void MailHeaders::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

std::string_view MailHeaders::find(std::string_view name) const {
  const auto field = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return field == fields_.end() ? std::string_view() : std::string_view(field->second);
}

bool MailHeaders::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

Mail read_mail(std::string_view bytes) {
  start_gmime();
  Mail mail;
  if (bytes.starts_with("From ")) {
    const std::size_t end = bytes.find('\n');
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  }
  mail.headers = parse_headers(bytes.substr(0, kMaxMailBytes));
  const Trim trimmed(bytes);
  mail.cut = trimmed.cut();
  Owned<GMimeStream> stream(
      g_mime_stream_mem_new_with_buffer(trimmed.text().data(), trimmed.text().size()));
  Owned<GMimeParser> parser(g_mime_parser_new_with_stream(stream.get()));
  g_mime_parser_set_persist_stream(parser.get(), TRUE);
  Owned<GMimeMessage> message(g_mime_parser_construct_message(parser.get(), nullptr));
  GMimeObject* body = message ? g_mime_message_get_mime_part(message.get()) : nullptr;
  if (body == nullptr) return mail;
  mail.report_type = to_lower(g_mime_object_get_content_type_parameter(body, "report-type"));
  collect(body, mail.parts);
  return mail;
}

std::vector<std::string_view> split_mbox(std::string_view bytes) {
  std::vector<std::string_view> mails;
  std::size_t begin = 0;
  bool after_blank = true;
  for (std::size_t start = 0; start < bytes.size() && mails.size() + 1 < kMaxMboxMails;) {
    const std::size_t end = std::min(bytes.find('\n', start), bytes.size());
    const std::string_view line = bytes.substr(start, end - start);
    const bool separates = after_blank && is_mbox_separator(line);
    if (start == 0 && !separates) break;
    if (start != 0 && separates) mails.push_back(bytes.substr(begin, start - begin));
    if (separates) begin = start;
    after_blank = line.empty() || line == "\r";
    start = end + 1;
  }
  mails.push_back(bytes.substr(begin));
  return mails;
}

std::string decode_header(std::string_view value) {
  if (value.find("=?") == std::string_view::npos) return std::string(value);
  start_gmime();
  std::unique_ptr<char, Free> text(
      g_mime_utils_header_decode_text(nullptr, std::string(value).c_str()));
  return text ? std::string(text.get()) : std::string(value);
}

MailHeaders parse_headers(std::string_view text) {
  MailHeaders headers;
  std::string name, value;
  std::size_t count = 0;
  const auto flush = [&] {
    if (!name.empty()) headers.add(std::move(name), unfold(value));
    name.clear();
    value.clear();
  };
  for (std::size_t start = 0; start < text.size() && count < kMaxHeaderFields;) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    start = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      if (value.size() < kMaxHeaderValue) value += line;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos)
      break;
    flush();
    name = to_lower(std::string(line.substr(0, colon)).c_str());
    value = line.substr(colon + 1);
    ++count;
  }
  flush();
  return headers;
}

}  // namespace ipmit::events
