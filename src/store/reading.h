// What a read of a store returns.
#pragma once

#include "store/store.h"

namespace store {

/// The value that `fn` reads in one transaction.
template <class T, class Fn>
base::Result<T> reading(Store& store, const Fn& fn) {
  T value{};
  TRY(store.read([&](Tx& tx) -> base::Result<> {
    value = TRY(fn(tx));
    return {};
  }));
  return value;
}

}  // namespace store
