/** Reads inputs and outputs of ONNX graphs: name, element type and dims. */
import { unsupported } from "../base/errors.ts";
import type { OnnxValueInfo } from "./model.ts";
import type { ProtoReader } from "./proto_reader.ts";
import { dtypeOf } from "./read_tensor.ts";

type TensorType = Omit<OnnxValueInfo, "name">;

/** Reads a ValueInfoProto. Throws AttuneError if it is not a tensor or its rank is unknown. */
export function readValueInfo(r: ProtoReader): OnnxValueInfo {
  let name = "";
  let type: TensorType | undefined;
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) name = r.string();
    else if (field === 2) type = r.message(readType);
  }
  if (!type) throw unsupported("onnx", `Value "${name}"`, "no type", "inputs and outputs are tensors of known rank");
  return { name, ...type };
}

function readType(r: ProtoReader): TensorType | undefined {
  let type: TensorType | undefined;
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) type = r.message(readTensorType);
  }
  return type;
}

function readTensorType(r: ProtoReader): TensorType | undefined {
  let type = 0;
  let dims: readonly (number | string)[] | undefined;
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) type = r.int();
    else if (field === 2) dims = r.message(readShape);
  }
  return dims && { dtype: dtypeOf(type, "Value"), dims };
}

function readShape(r: ProtoReader): (number | string)[] {
  const dims: (number | string)[] = [];
  for (let field = r.next(); field !== 0; field = r.next()) if (field === 1) dims.push(r.message(readDim));
  return dims;
}

function readDim(r: ProtoReader): number | string {
  let dim: number | string = "";
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) {
      dim = r.int();
      if (dim < 0) throw r.broken(`a dim is ${dim}`);
    } else if (field === 2) dim = r.string();
  }
  return dim;
}
