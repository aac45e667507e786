#include "catalogue.hpp"

#include <array>
#include <cctype>
#include <cmath>
#include <string>

namespace transit {

namespace {

constexpr std::array known{
    Published{"EPIC 201367065", "K2-3 b", 10.0546, "Crossfield et al. 2015, ApJ 804, 10"},
    Published{"EPIC 206154641", "WASP-75 b", 2.484193,
              "Gómez Maqueo Chew et al. 2013, A&A 559, A36"},  // EPIC number: Clark et al. 2018, arXiv:1802.02132
    Published{"KIC 11446443", "TrES-2 b (Kepler-1 b)", 2.47063, "O'Donovan et al. 2006, ApJ 651, L61"},
    Published{"pi Mensae", "pi Mensae c", 6.268, "Gandolfi et al. 2018, A&A 619, L10; Huang et al. 2018, ApJ 868, L39"},
    Published{"pimensatesslightcurve", "pi Mensae c", 6.268,  // what a well-known copy of the TESS data is called
              "Gandolfi et al. 2018, A&A 619, L10; Huang et al. 2018, ApJ 868, L39"},
};

std::string letters_and_digits(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)))
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool within_a_percent(double a, double b) { return std::abs(a - b) <= 0.01 * b; }

}  // namespace

const Published* published_for(std::string_view star) {
  const std::string wanted = letters_and_digits(star);
  for (const Published& entry : known)
    if (letters_and_digits(entry.star) == wanted) return &entry;
  return nullptr;
}

Agreement compare(double found, double published) {
  if (within_a_percent(found, published)) return Agreement::same;
  for (int multiple = 1; multiple <= 4; ++multiple)
    for (int part = 1; part <= 4; ++part)
      if (within_a_percent(found, published * multiple / part)) return Agreement::harmonic;
  return Agreement::other;
}

}  // namespace transit
