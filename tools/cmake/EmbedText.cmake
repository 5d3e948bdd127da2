# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=conf/bounce_rules.yaml -DOUTPUT=….cc -P EmbedText.cmake: the text as the array that the
# function declared in conf/bounce_rules.h returns.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(........................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"conf/bounce_rules.h\"

namespace ipmit::conf {
namespace {
constexpr char kText[] = {
${bytes}'\\0'};
}  // namespace

std::string_view default_bounce_rules() { return {kText, sizeof(kText) - 1}; }

}  // namespace ipmit::conf
")
