#include "base/html.h"

#include <fmt/format.h>

namespace hone::html {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--page:#fbfaf8;--card:#fff;--ink:#1f2328;--dim:#667080;--line:#e4e2dd;
--bar:#5b7fb5;--link:#41679c;--soft:#eef2f8;--error:#b3362b;--warning:#a86a00;--note:#3d7a5c}
@media(prefers-color-scheme:dark){:root{--page:#15171a;--card:#1c1f23;--ink:#e4e6e8;--dim:#98a1ad;
--line:#2e3238;--bar:#7c9fd3;--link:#7c9fd3;--soft:#242a33;--error:#f08579;--warning:#e0aa4f;--note:#7fc4a0}}
*{box-sizing:border-box}
body{overflow-wrap:break-word;margin:0 auto;max-width:64rem;padding:2.5rem 1.25rem 4rem;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
h1{font-size:1.6rem;margin:0 0 .25rem;letter-spacing:-.01em}
h2{font-size:1.1rem;margin:2.5rem 0 .8rem}
p{margin:.2rem 0}.dim{color:var(--dim)}
code,.place{font:.85em/1.5 ui-monospace,"DejaVu Sans Mono",monospace}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:1.5rem 0}
.tile,.finding,.plot,.table{background:var(--card);border:1px solid var(--line);border-radius:.5rem}
.tile{padding:.8rem 1rem}.tile b{display:block;font-size:1.5rem;font-weight:600;line-height:1.25;
font-variant-numeric:tabular-nums}.tile span{color:var(--dim);font-size:.85rem}
.finding{padding:1rem 1.2rem;margin:.75rem 0;border-left:.3rem solid var(--tone)}
.finding header{display:flex;gap:.75rem;align-items:baseline;flex-wrap:wrap}
.finding h3{margin:0;font-size:1rem}.finding .level{color:var(--tone);font-size:.8rem;font-weight:600}
.finding .count{margin-left:auto;font-variant-numeric:tabular-nums}
.share{height:.3rem;border-radius:.15rem;background:var(--soft);margin:.6rem 0;overflow:hidden}
.share i{display:block;height:100%;background:var(--tone)}
.error{--tone:var(--error)}.warning{--tone:var(--warning)}.note{--tone:var(--note)}
ul.rows{list-style:none;margin:.6rem 0;padding:0;font-size:.88rem}
ul.rows li{padding:.3rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
.place{color:var(--dim);margin-right:.6rem}
details{font-size:.88rem;color:var(--dim);margin-top:.4rem}summary{cursor:pointer}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:.75rem}
.plot{padding:.9rem 1rem;margin:0}.plot figcaption{font-size:.9rem;margin-bottom:.3rem}
.plot svg{display:block;width:100%;height:auto}
.plot rect{fill:var(--bar)}.plot text{fill:var(--dim);font-size:14px}
.plot line{stroke:var(--line)}.plot path{fill:none;stroke:var(--run,var(--bar));stroke-width:1.6}
.plot .median{stroke:var(--ink);stroke-dasharray:3 3}
.table{overflow-x:auto;padding:.4rem 1rem}table{border-collapse:collapse;width:100%;font-size:.9rem}
th{font-weight:500;color:var(--dim);text-align:right}td{text-align:right;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}th,td{padding:.35rem .5rem;border-top:1px solid var(--line)}
tr:first-child :is(th,td){border-top:0}td+td{min-width:6.5rem}td .share{--tone:var(--bar);min-width:6rem;margin:.2rem 0}
pre{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;overflow:auto;
font:.82rem/1.5 ui-monospace,"DejaVu Sans Mono",monospace}a{color:var(--link)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.85rem;color:var(--dim)}
.legend span{min-width:0;overflow-wrap:anywhere}
.legend i{display:inline-block;width:.9rem;height:.2rem;background:var(--run);margin-right:.4rem;vertical-align:middle}
.run0{--run:#5b7fb5}.run1{--run:#c2703d}.run2{--run:#4f9a76}.run3{--run:#a05aa8}.run4{--run:#b0903a}.run5{--run:#7a7f87}
)css";

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string grouped(std::int64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string tile(std::string_view number, std::string_view label) {
  return fmt::format("<div class=tile><b>{}</b><span>{}</span></div>", number, escaped(label));
}

std::string page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><title>{}</title><style>{}</style></head>\n<body>\n{}"
      "</body></html>\n",
      escaped(title), kStyle, body);
}

}  // namespace hone::html
