// One header of an HTTP message.
#pragma once

#include <string>
#include <vector>

namespace net {

struct Header {
  std::string name;  // lower case in what was received
  std::string value;
  bool operator==(const Header&) const = default;
};

using Headers = std::vector<Header>;

}  // namespace net
