// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_signs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {

bool is_bounce_subject(std::string_view subject) {
  static constexpr std::string_view kStarts[] = {"undeliver",
                                                 "returned mail",
                                                 "failure notice",
                                                 "mail delivery",
                                                 "delivery status",
                                                 "delivery fail",
                                                 "delivery notification",
                                                 "delivery report",
                                                 "delivery problem",
                                                 "delivery error",
                                                 "non-deliver",
                                                 "nondeliver",
                                                 "non deliver",
                                                 "message could not",
                                                 "message not delivered",
                                                 "message delivery",
                                                 "mail could not",
                                                 "mail failure",
                                                 "mail failed",
                                                 "mail undeliver",
                                                 "mail error",
                                                 "could not deliver",
                                                 "unable to deliver",
                                                 "could not send",
                                                 "warning: could not send",
                                                 "warning: message",
                                                 "delayed mail",
                                                 "permanent delivery",
                                                 "there was an error sending",
                                                 "postmaster notify",
                                                 "email bounce",
                                                 "bounced mail",
                                                 "unzustellbar",
                                                 "nicht zustellbar",
                                                 "echec de",
                                                 "échec de",
                                                 "Échec de",
                                                 "onbestelbaar",
                                                 "niet te bezorgen",
                                                 "non recapitabile",
                                                 "impossibile recapitare",
                                                 "mancato recapito",
                                                 "não entregue",
                                                 "não foi possível entregar",
                                                 "no se pudo entregar",
                                                 "no entregado",
                                                 "nie można dostarczyć",
                                                 "недоставленное",
                                                 "не удалось доставить",
                                                 "系统退信",
                                                 "退信",
                                                 "无法投递",
                                                 "配信不能",
                                                 "配信エラー",
                                                 "メッセージを配信できません",
                                                 "メール配信に失敗",
                                                 "メールを配信できません",
                                                 "non remis",
                                                 "no se puede entregar",
                                                 "sorry, your message could not",
                                                 "failed mail",
                                                 "ndn:",
                                                 "undelivered",
                                                 "zustellfehler",
                                                 "niedostarczona",
                                                 "nedoručiteln",
                                                 "teslim edilemedi",
                                                 "[메일 발송 실패",
                                                 "письмо не доставлено",
                                                 "mail system error"};
  const std::string low = to_lower(trim(subject));
  // Behind the subject of the message, or behind "Message status".
  static constexpr std::string_view kEnds[] = {"(delivery failed)", "- undeliverable",
                                               "- non remis",       "- user unknown!",
                                               "- user unknown",    "(undeliverable)"};
  return std::any_of(std::begin(kStarts), std::end(kStarts),
                     [&](std::string_view start) { return low.starts_with(start); }) ||
         std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](std::string_view end) { return low.ends_with(end); });
}

bool speaks_of_failure(std::string_view text) {
  static const PhraseIndex kIndex({"could not be delivered",
                                   "couldn't be delivered",
                                   "cannot be delivered",
                                   "can not be delivered",
                                   "could not deliver",
                                   "unable to deliver",
                                   "wasn't able to deliver",
                                   "was not delivered",
                                   "wasn't delivered",
                                   "not been delivered",
                                   "not yet been delivered",
                                   "undeliverable",
                                   "undelivered",
                                   "delivery failed",
                                   "failed to deliver",
                                   "delivery problems",
                                   "not being delivered",
                                   "delivery has failed",
                                   "delivery failure",
                                   "delivery error",
                                   "delivery problem",
                                   "failed permanently",
                                   "permanent error",
                                   "permanent fatal error",
                                   "fatal error",
                                   "did not reach",
                                   "non-deliver",
                                   "nondeliver",
                                   "returned mail",
                                   "mail failure",
                                   "delivery to the following",
                                   "transcript of session",
                                   "delivery status notification",
                                   "error has occurred",
                                   "while attempting to deliver",
                                   "mail failed",
                                   "failed addresses",
                                   "no valid recipients",
                                   "error message below",
                                   "no such user",
                                   "may not exist",
                                   "not have permission to post",
                                   "not delivered",
                                   "malformed address",
                                   "incorrectly constructed",
                                   "error was encountered",
                                   "error occurred while",
                                   "trouble delivering",
                                   "could not be sent",
                                   "was not sent",
                                   "has been delayed",
                                   "was delayed",
                                   "is delayed",
                                   "still being retried",
                                   "not yet delivered",
                                   "delivery attempt",
                                   "error delivering",
                                   "could not send",
                                   "error sending your",
                                   "user unknown",
                                   "unknown user",
                                   "unknown host",
                                   "mailbox is full",
                                   "mailbox full",
                                   "over quota",
                                   "rejected your message",
                                   "message was rejected",
                                   "mail was rejected",
                                   "has been rejected",
                                   "failure reasons",
                                   "invalid final delivery",
                                   "exceeds allowed size",
                                   "sending failed",
                                   "returned to sender",
                                   "delivery of the following",
                                   "unzustellbar",
                                   "nicht zugestellt",
                                   "non remis",
                                   "n'a pas pu \xC3\xAAtre",
                                   "no se pudo entregar",
                                   "-------server message",
                                   "impossibile recapitare",
                                   "non è stato possibile recapitare",
                                   "não foi possível entregar",
                                   "não pôde ser entregue",
                                   "no pudo ser entregado",
                                   "no se ha podido entregar",
                                   "kan niet worden bezorgd",
                                   "kon niet worden bezorgd",
                                   "kunde inte levereras",
                                   "kunne ikke leveres",
                                   "nie można dostarczyć",
                                   "не удалось доставить",
                                   "не было доставлено",
                                   "无法投递",
                                   "无法送达",
                                   "投递失败",
                                   "配信できません",
                                   "お届けできません",
                                   "配達できません",
                                   "送信できません",
                                   "échec de la remise",
                                   "zustellung ist fehlgeschlagen",
                                   "konnte nicht übermittelt",
                                   "не может быть доставлено",
                                   "automatically rejected",
                                   "not a valid user",
                                   "n'a pas pu etre",
                                   "did not exactly match",
                                   "message blocked",
                                   "delivery incomplete",
                                   "problem delivering",
                                   "recipients failed",
                                   "recipient failed",
                                   "empfänger nicht erreicht",
                                   "n'est pas parvenu",
                                   "n'ont pas pu être",
                                   "no ha llegado a",
                                   "no se pudo contactar",
                                   "non ha raggiunto",
                                   "non è stato recapitato",
                                   "niet bereikt",
                                   "niet afgeleverd",
                                   "nie została dostarczona",
                                   "nie został dostarczony",
                                   "nepodařilo doručit",
                                   "teslim edilemedi",
                                   "nem sikerült kézbesíteni",
                                   "ei voitu toimittaa",
                                   "kunde inte nå",
                                   "nåede ikke",
                                   "발송되지 못했습니다",
                                   "전송되지 못했습니다",
                                   "보내지 못했습니다",
                                   "전달되지 못했습니다",
                                   "届きませんでした",
                                   "送信できませんでした",
                                   "未能送达",
                                   "无法发送"});
  return kIndex.occurs_in(normalize_diagnostic(text).words);
}

bool is_letter(std::string_view text) {
  static constexpr std::string_view kGreetings[] = {
      "hi",     "hello",   "dear",         "hallo",      "liebe",   "lieber", "sehr",  "guten",
      "moin",   "servus",  "salut",        "bonjour",    "cher",    "chère",  "hola",  "estimado",
      "buenos", "ciao",    "gentile",      "buongiorno", "olá",     "ola",    "caro",  "prezado",
      "beste",  "geachte", "hej",          "hei",        "cześć",   "dzień",  "witam", "dobrý",
      "ahoj",   "привет",  "здравствуйте", "уважаемый",  "merhaba", "szia",   "good"};
  bool first = true;
  for (const std::string_view raw : split_lines(text)) {
    const std::string_view line = trim(raw);
    if (line.empty() || line.starts_with('>')) continue;
    if (line.ends_with('?') || line.ends_with("\xEF\xBC\x9F")) return true;
    if (!std::exchange(first, false) || line.size() > 50) continue;
    if (!line.ends_with(',') && !line.ends_with('!') && line.find(' ') != std::string_view::npos)
      continue;
    const std::string word = to_lower(line.substr(0, line.find_first_of(" ,!")));
    if (std::find(std::begin(kGreetings), std::end(kGreetings), word) != std::end(kGreetings))
      return true;
  }
  return false;
}

bool tells_sender(std::string_view text) {
  static const PhraseIndex kIndex(
      {"your message",  "your mail",       "your e-mail",     "your email",
       "you sent",      "votre message",   "votre courrier",  "ihre nachricht",
       "ihre mail",     "ihre e-mail",     "su mensaje",      "tu mensaje",
       "sua mensagem",  "suo messaggio",   "tuo messaggio",   "uw bericht",
       "je bericht",    "twoja wiadomość", "ditt meddelande", "din besked",
       "аше сообщение", "аше письмо",      "メッセージ",      "メール",
       "您的邮件",      "您发送的",        "你发送的",        "귀하"});
  return kIndex.occurs_in(text);
}

bool lists_kept_mails(std::string_view text) {
  static const PhraseIndex kIndex({"quarantin", "spam digest", "to release", "release them",
                                   "release it", "have it released", "were held and", "cuarentena",
                                   "隔離", "隔离", "карантин"});
  return kIndex.occurs_in(text);
}

}  // namespace ipmit::events
