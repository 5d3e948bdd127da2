// SPDX-License-Identifier: Apache-2.0
#include "events/mime_part.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include <gmime/gmime.h>

#include "events/bounce_text.h"

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

// What a line of a header costs GMime: an object a boundary, a container or a field.
struct LineCounts {
  std::size_t boundaries = 0, containers = 0, fields = 0;

  bool add_boundary() { return ++boundaries <= kMaxBoundaryLines; }
  // False: this line is one too many.
  bool add_header_line(std::string_view line) {
    const std::string_view head = line.substr(0, 100);
    if (contains_ignoring_case(head, "multipart/") && ++containers > kMaxContainers) return false;
    const std::size_t end = head.find_first_of(": \t");
    return end == std::string_view::npos || end == 0 || head[end] != ':' ||
           ++fields <= kMaxFieldLines;
  }
};

// What is given to GMime: the mail up to its limits, of its header the MIME fields alone, and each
// message/rfc822 part under a name that GMime takes for a leaf. GMime makes an object of every
// header field, and those of the mail and of the message it returns would take most of the time.
// Base64 of kMaxPartText bytes, line ends included, is shorter than this.
constexpr std::size_t kMaxEncodedText = kMaxPartText * 3 / 2;
constexpr std::size_t kMaxReturned = 64u << 10;  // of a returned message its header is wanted
constexpr std::string_view kReturned = "message/rfc822", kReturnedLeaf = "message/x-leaf";

class Trim {
 public:
  explicit Trim(std::string_view bytes) {
    const std::string_view kept = bytes.substr(0, kMaxMailBytes);
    text_.reserve(kept.size() + 64);
    std::size_t start = 0, copied = 0;
    while (start < kept.size()) {
      const std::size_t end = std::min(kept.find('\n', start), kept.size());
      const std::string_view line = kept.substr(start, end - start);
      const std::size_t next = std::min(end + 1, kept.size());
      const bool boundary = line.starts_with("--") && state_ != State::kTop;
      if (boundary ? !counts_.add_boundary()
                   : state_ != State::kBody && !counts_.add_header_line(line))
        break;
      if (boundary) start_part(line);
      if (!boundary && state_ != State::kBody && !keep(line, kept.substr(start, next - start))) {
        text_.insert(text_.size() - instead_, kept.substr(copied, start - copied));
        instead_ = 0;
        copied = next;
      }
      start = next;
    }
    text_ += kept.substr(copied, start - copied);
    cut_ = start != bytes.size();
  }

  const std::string& text() const { return text_; }
  bool cut() const { return cut_; }

 private:
  enum class State { kTop, kPart, kBody };

  // A line of dashes may also be text, and what looks like fields below it, too.
  void start_part(std::string_view line) {
    state_ = State::kPart;
    dropping_ = false;
    may_drop_ = std::any_of(boundaries_.begin(), boundaries_.end(), [&](auto name) {
      if (!line.substr(2).starts_with(name)) return false;
      const std::string_view tail = trim(line.substr(2 + name.size()));
      return tail.empty() || tail == "--";
    });
  }

  void note_boundary(std::string_view line) {
    static constexpr std::string_view kName = "boundary=";
    const auto found = std::search(line.begin(), line.end(), kName.begin(), kName.end(),
                                   [](char a, char b) { return lower(a) == b; });
    if (found == line.end() || boundaries_.size() >= kMaxContainers) return;
    std::string_view value = line.substr(static_cast<std::size_t>(found - line.begin()));
    value.remove_prefix(kName.size());
    const bool is_quoted = value.starts_with('"');
    if (is_quoted) value.remove_prefix(1);
    value = value.substr(0, value.find_first_of(is_quoted ? "\"\r\n" : "; \t\r\n"));
    if (!value.empty()) boundaries_.push_back(value);
  }

  // False: the line of a header is left out; what stands in its place is at the end of text_.
  bool keep(std::string_view line, std::string_view with_end) {
    if (line.empty() || line == "\r") {
      state_ = State::kBody;
      return true;
    }
    const bool folded = line[0] == ' ' || line[0] == '\t';
    if (!folded) dropping_ = may_drop_ && is_idle(line);
    if (dropping_) return false;
    note_boundary(line);
    return !(folded || lower(line[0]) == 'c') || !rename(with_end);
  }
  // A field other than Content-Type and Content-Transfer-Encoding. What is not a field stays: it
  // ends the header of a part.
  static bool is_idle(std::string_view line) {
    const std::size_t colon = line.substr(0, 100).find(':');
    if (colon == std::string_view::npos ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos)
      return false;
    return !contains_ignoring_case(line.substr(0, 9), "content-t");
  }
  bool rename(std::string_view line) {
    const auto at = std::search(line.begin(), line.end(), kReturned.begin(), kReturned.end(),
                                [](char a, char b) { return lower(a) == b; });
    if (at == line.end()) return false;
    const std::size_t before = text_.size();
    text_.append(line.begin(), at).append(kReturnedLeaf);
    text_.append(at + static_cast<std::ptrdiff_t>(kReturned.size()), line.end());
    instead_ = text_.size() - before;
    return true;
  }

  std::string text_;
  LineCounts counts_;
  State state_ = State::kTop;
  std::size_t instead_ = 0;
  bool cut_ = false, dropping_ = false;
  bool may_drop_ = true;                      // in a header for certain
  std::vector<std::string_view> boundaries_;  // that headers have named
};

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
  // The escape of ISO-2022 and the tilde of HZ are ASCII, too.
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || c == '\x1b' || c == '~';
  });
  if (plain || keeps_charset(charset)) return text;
  const iconv_t descriptor = g_mime_iconv_open("UTF-8", charset.c_str());
  // NOLINTNEXTLINE(performance-no-int-to-ptr): so iconv says that it does not know the charset
  if (descriptor == reinterpret_cast<iconv_t>(-1)) return text;
  std::unique_ptr<char, Free> converted(g_mime_iconv_strndup(descriptor, text.data(), text.size()));
  g_mime_iconv_close(descriptor);
  return converted ? std::string(converted.get()) : text;
}

std::string raw_content(GMimeDataWrapper* content, std::size_t most) {
  GMimeStream* stream = g_mime_data_wrapper_get_stream(content);  // stays the wrapper's
  const gint64 length = stream == nullptr ? 0 : g_mime_stream_length(stream);
  if (length <= 0) return {};
  std::string raw(std::min(static_cast<std::size_t>(length), most), '\0');
  g_mime_stream_reset(stream);
  const ssize_t got = g_mime_stream_read(stream, raw.data(), raw.size());
  raw.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return raw;
}

std::string decoded(std::string raw, GMimeContentEncoding encoding, const std::string& charset) {
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
  return to_utf8(std::move(raw), charset);
}

std::string decoded_text(GMimePart* part, std::size_t most) {
  GMimeDataWrapper* content = g_mime_part_get_content(part);
  if (content == nullptr) return {};
  return decoded(raw_content(content, most), g_mime_data_wrapper_get_encoding(content),
                 to_lower(g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset")));
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

// A mail without parts needs no parser; that is half of all reports.
void read_single_part(std::string_view bytes, Mail& mail) {
  const std::string field(mail.headers.find("content-type"));
  Owned<GMimeContentType> type(
      g_mime_content_type_parse(nullptr, field.empty() ? "text/plain" : field.c_str()));
  const std::string encoding(mail.headers.find("content-transfer-encoding"));
  const std::string_view body = bytes.substr(header_length(bytes));
  MimePart part{type_of(type.get()), {}};
  if (is_report_text(part.type))
    part.text = decoded(std::string(body.substr(0, kMaxEncodedText)),
                        g_mime_content_encoding_from_string(encoding.c_str()),
                        to_lower(g_mime_content_type_get_parameter(type.get(), "charset")));
  mail.cut = bytes.size() > kMaxMailBytes || mail.headers.fields().size() >= kMaxHeaderFields;
  mail.parts.push_back(std::move(part));
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
    MimePart part{type_of(g_mime_object_get_content_type(object)), {}};
    const bool returned = part.type == kReturnedLeaf;
    if (returned) part.type = kReturned;
    if (is_report_text(part.type))
      part.text = decoded_text(GMIME_PART(object), returned ? kMaxReturned : kMaxEncodedText);
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
  if (!contains_ignoring_case(mail.headers.find("content-type"), "multipart")) {
    read_single_part(bytes, mail);
    return mail;
  }
  const Trim trimmed(bytes);
  mail.cut = trimmed.cut();
  Owned<GMimeStream> stream(
      g_mime_stream_mem_new_with_buffer(trimmed.text().data(), trimmed.text().size()));
  static thread_local const Owned<GMimeParser> parser(g_mime_parser_new());
  g_mime_parser_init_with_stream(parser.get(), stream.get());
  g_mime_parser_set_persist_stream(parser.get(), TRUE);
  // A part, not a message: GMimeMessage comes with six address lists that nobody asks for.
  Owned<GMimeObject> body(g_mime_parser_construct_part(parser.get(), nullptr));
  if (!body) return mail;
  mail.report_type = to_lower(g_mime_object_get_content_type_parameter(body.get(), "report-type"));
  collect(body.get(), mail.parts);
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
