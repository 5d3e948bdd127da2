// SPDX-License-Identifier: Apache-2.0
#include "events/mime_part.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include <gmime/gmime.h>

#include "events/bounce_text.h"
#include "events/content_type.h"
#include "events/mime_structure.h"

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

bool contains_ignoring_case(std::string_view text, std::string_view lower_needle) {
  return std::search(text.begin(), text.end(), lower_needle.begin(), lower_needle.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

// Base64 of kMaxPartText bytes, line ends included, is shorter than this.
constexpr std::size_t kMaxEncodedText = kMaxPartText * 3 / 2;
constexpr std::size_t kMaxReturned = 64u << 10;  // of a returned message its header is wanted

// Signatures and traces of filters make up most of a header, and no report needs them.
bool is_noise(std::string_view name) {
  static constexpr std::string_view kStarts[] = {"arc-",
                                                 "dkim-",
                                                 "domainkey-",
                                                 "x-gm-",
                                                 "x-google",
                                                 "x-ms-",
                                                 "x-microsoft",
                                                 "x-forefront",
                                                 "x-received",
                                                 "x-spam-",
                                                 "x-exchange",
                                                 "received-spf",
                                                 "authentication-results"};
  const char first = name.empty() ? ' ' : lower(name[0]);
  if (first != 'a' && first != 'd' && first != 'x' && first != 'r') return false;
  return std::any_of(std::begin(kStarts), std::end(kStarts), [&](std::string_view start) {
    return name.size() >= start.size() && std::equal(start.begin(), start.end(), name.begin(),
                                                     [](char a, char b) { return a == lower(b); });
  });
}

bool is_report_text(const std::string& type) {
  return type.starts_with("text/") || type.starts_with("message/") || type == "application/json";
}

bool keeps_charset(std::string_view charset) {
  return charset.empty() || charset == "utf-8" || charset == "us-ascii" ||
         charset.starts_with("iso-8859-") || charset.starts_with("windows-125");
}

// Reports are ASCII but for a few languages; only multi-byte charsets hide ASCII from a reader.
std::string to_utf8(std::string text, const std::string& charset) {
  if (keeps_charset(charset)) return text;
  // The escape of ISO-2022, the tilde of HZ and the NULs of UTF-16 are ASCII, too.
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || c == '\x1b' || c == '~' || c == '\0';
  });
  if (plain) return text;
  const iconv_t descriptor = g_mime_iconv_open("UTF-8", charset.c_str());
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so iconv says that it does not know the charset
  if (descriptor == reinterpret_cast<iconv_t>(-1)) return text;
  std::unique_ptr<char, Free> converted(g_mime_iconv_strndup(descriptor, text.data(), text.size()));
  g_mime_iconv_close(descriptor);
  return converted ? std::string(converted.get()) : text;
}

GMimeContentEncoding encoding_of(std::string_view field) {
  return g_mime_content_encoding_from_string(std::string(trim(field)).c_str());
}

std::string decoded(std::string_view raw, GMimeContentEncoding encoding,
                    const std::string& charset) {
  std::string text;
  if (encoding == GMIME_CONTENT_ENCODING_BASE64 ||
      encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
      encoding == GMIME_CONTENT_ENCODING_UUENCODE) {
    GMimeEncoding state;
    g_mime_encoding_init_decode(&state, encoding);
    text.resize(g_mime_encoding_outlen(&state, raw.size()));
    text.resize(g_mime_encoding_step(&state, raw.data(), raw.size(), text.data()));
    text.resize(std::min(text.size(), kMaxPartText));
  } else {
    text = raw.substr(0, kMaxPartText);
  }
  return to_utf8(std::move(text), charset);
}

std::string unfold(std::string_view raw) {
  std::string out(raw.substr(0, kMaxHeaderValue));
  char* end = out.data();
  for (const char c : out) {
    if (c == '\r' || c == '\n') continue;
    const bool blank = c == ' ' || c == '\t';
    if (blank && (end == out.data() || end[-1] == ' ')) continue;
    *end++ = blank ? ' ' : c;
  }
  if (end != out.data() && end[-1] == ' ') --end;
  out.resize(static_cast<std::size_t>(end - out.data()));
  return out;
}

std::string type_of(GMimeContentType* type) {
  return to_lower(g_mime_content_type_get_media_type(type)) + "/" +
         to_lower(g_mime_content_type_get_media_subtype(type));
}

std::size_t header_length(std::string_view bytes) {
  for (std::size_t start = 0; start < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', start), bytes.size());
    if (end == start || bytes.substr(start, end - start) == "\r")
      return std::min(end + 1, bytes.size());
    start = end + 1;
  }
  return bytes.size();
}

ContentType read_content_type(std::string_view value) {
  if (auto plain = read_plain_content_type(value)) return std::move(*plain);
  std::string line(value);
  std::erase_if(line, [](char c) { return c == '\r' || c == '\n'; });
  const Owned<GMimeContentType> type(g_mime_content_type_parse(nullptr, line.c_str()));
  const auto parameter = [&](const char* name) {
    const char* text = g_mime_content_type_get_parameter(type.get(), name);
    return std::string(text == nullptr ? "" : text);
  };
  return {type_of(type.get()), parameter("boundary"), to_lower(parameter("charset")),
          to_lower(parameter("report-type"))};
}

void drop_returns(std::string& text) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') text[kept++] = text[i];
  text.resize(kept);
}

void add_leaf(Mail& mail, const RawPart& raw) {
  MimePart part{raw.type.type, {}};
  const bool returned = part.type == "message/rfc822";
  if (is_report_text(part.type))
    part.text = decoded(raw.body.substr(0, returned ? kMaxReturned : kMaxEncodedText),
                        encoding_of(raw.encoding), raw.type.charset);
  if (raw.is_preamble) drop_returns(part.text);
  mail.parts.push_back(std::move(part));
}

// Half of all reports are a mail without parts.
void read_single_part(std::string_view bytes, Mail& mail) {
  const std::string_view field = mail.headers.find("content-type");
  RawPart part;
  part.type = read_content_type(field.empty() ? "text/plain" : field);
  part.encoding = mail.headers.find("content-transfer-encoding");
  part.body = bytes.substr(header_length(bytes));
  mail.cut = bytes.size() > kMaxMailBytes || mail.headers.fields().size() >= kMaxHeaderFields;
  add_leaf(mail, part);
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
  if (!contains_ignoring_case(mail.headers.find("content-type"), "multipart")) {
    read_single_part(bytes, mail);
    return mail;
  }
  const MimeStructure structure = find_parts(bytes, read_content_type);
  mail.cut = structure.cut;
  mail.report_type = structure.type.report_type;
  mail.parts.reserve(structure.leaves.size());
  for (const RawPart& leaf : structure.leaves) add_leaf(mail, leaf);
  return mail;
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
  std::string_view name, value;  // value: to the end of its last line
  std::size_t count = 0;
  bool received = false;
  const auto flush = [&] {
    std::string low(name);
    name = {};
    std::transform(low.begin(), low.end(), low.begin(), lower);
    if (low.empty() || (low == "received" && std::exchange(received, true))) return;
    headers.add(std::move(low), unfold(value));
  };
  for (std::size_t start = 0; start < text.size() && count < kMaxHeaderFields;) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    start = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!name.empty())
        value = {value.data(), static_cast<std::size_t>(line.data() + line.size() - value.data())};
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos)
      break;
    flush();
    ++count;
    if (is_noise(line.substr(0, colon))) continue;
    name = line.substr(0, colon);
    value = line.substr(colon + 1);
  }
  flush();
  return headers;
}

}  // namespace ipmit::events
