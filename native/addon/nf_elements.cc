/** Elements of nftables' sets and maps, added and deleted in one transaction. */
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "convert.h"
#include "nfnetlink.h"
#include "worker.h"

namespace keelson {
namespace {

/** A list of elements is one attribute, whose length has 16 bits. */
constexpr size_t listBytes = 32 * 1024;

/** Elements of one set; keys and values lie one after another. */
struct ElementsOp {
  std::string op;  ///< add, delete, or flush: whatever is in it
  std::string set;
  size_t keySize;
  std::vector<uint8_t> keys;
  std::vector<uint8_t> keyEnds;  ///< of intervals; empty: none
  size_t valueSize;
  std::vector<uint8_t> values;      ///< empty: none
  std::vector<std::string> chains;  ///< a verdict map: where each goes to; empty: none
};

std::vector<uint8_t> bytesIf(const Napi::Object& object, const char* key) {
  if (!has(object, key)) return {};
  const auto array = object.Get(key).As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ByteLength()};
}

ElementsOp opOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  const bool chains = has(object, "chains");
  return {
      .op = stringOf(object, "op"),
      .set = stringOf(object, "set"),
      .keySize = static_cast<size_t>(numberIf(object, "keySize").value_or(0)),
      .keys = bytesIf(object, "keys"),
      .keyEnds = bytesIf(object, "keyEnds"),
      .valueSize = static_cast<size_t>(numberIf(object, "valueSize").value_or(0)),
      .values = bytesIf(object, "values"),
      .chains = chains ? listOf(object.Get("chains"), toString) : std::vector<std::string>{},
  };
}

/** The whole of one transaction, as the kernel wants it: begin, messages, end. */
class Transaction {
 public:
  Transaction(uint8_t family, std::string table) : family_(family), table_(std::move(table)) {
    border(NFNL_MSG_BATCH_BEGIN, "NFNL_MSG_BATCH_BEGIN");
  }

  void put(const ElementsOp& op) {
    if (op.op == "flush") return begin(op);
    const size_t count = op.keySize == 0 ? 0 : op.keys.size() / op.keySize;
    const size_t bytes = 96 + 2 * op.keySize + op.valueSize;
    const size_t step = std::max<size_t>(1, listBytes / bytes);
    for (size_t from = 0; from < count; from += step) message(op, from, std::min(count, from + step));
  }

  void commit() {
    border(NFNL_MSG_BATCH_END, "NFNL_MSG_BATCH_END");
    netfilterSocket().exchange(batch_);
  }

 private:
  void border(uint16_t type, const char* what) {
    batch_.begin(type, 0, nfHeader(AF_UNSPEC, NFNL_SUBSYS_NFTABLES), what, "nft table " + table_);
    batch_.unacknowledged();
  }

  void begin(const ElementsOp& op) {
    const bool add = op.op == "add";
    batch_.begin(nfType(NFNL_SUBSYS_NFTABLES, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM), add ? NLM_F_CREATE : 0,
                 nfHeader(family_), add ? "NFT_MSG_NEWSETELEM" : "NFT_MSG_DELSETELEM",
                 "nft set " + table_ + " " + op.set);
    batch_.put(NFTA_SET_ELEM_LIST_TABLE, table_);
    batch_.put(NFTA_SET_ELEM_LIST_SET, op.set);
  }

  void message(const ElementsOp& op, size_t from, size_t to) {
    begin(op);
    batch_.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (size_t i = from; i < to; i++) batch_.nest(NFTA_LIST_ELEM, [&] { element(op, i); });
    });
  }

  void element(const ElementsOp& op, size_t i) {
    data(NFTA_SET_ELEM_KEY, op.keys, op.keySize, i);
    if (!op.keyEnds.empty()) data(NFTA_SET_ELEM_KEY_END, op.keyEnds, op.keySize, i);
    if (!op.values.empty()) data(NFTA_SET_ELEM_DATA, op.values, op.valueSize, i);
    if (op.chains.empty()) return;
    batch_.nest(NFTA_SET_ELEM_DATA, [&] {
      batch_.nest(NFTA_DATA_VERDICT, [&] {
        batch_.put32(NFTA_VERDICT_CODE, htonl(static_cast<uint32_t>(NFT_GOTO)));
        batch_.put(NFTA_VERDICT_CHAIN, op.chains.at(i));
      });
    });
  }

  void data(uint16_t type, const std::vector<uint8_t>& all, size_t size, size_t i) {
    if ((i + 1) * size > all.size()) fail("nftElements", "nft table " + table_, EINVAL, "keys and values differ in number");
    batch_.nest(type, [&] { batch_.put(NFTA_DATA_VALUE, std::span(all.data() + i * size, size)); });
  }

  uint8_t family_;
  std::string table_;
  Batch batch_;
};

}  // namespace

NetlinkSocket& netfilterSocket() {
  thread_local NetlinkSocket socket = NetlinkSocket::open(NETLINK_NETFILTER);
  return socket;
}

/** (family: number, table: string, ops: ElementsOp[]) */
Napi::Value nftElements(const Napi::CallbackInfo& info) {
  const auto family = static_cast<uint8_t>(info[0].As<Napi::Number>().Uint32Value());
  return runOnPool(info.Env(), [family, table = toString(info[1]), ops = listOf(info[2], opOf)] {
    Transaction transaction(family, table);
    for (const auto& op : ops) transaction.put(op);
    transaction.commit();
  });
}

}  // namespace keelson
