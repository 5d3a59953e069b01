import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.tensorflow.Result;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Tensor;
import org.tensorflow.TensorFlow;
import org.tensorflow.exceptions.TensorFlowException;
import org.tensorflow.ndarray.NdArray;
import org.tensorflow.ndarray.NdArrays;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt64;
import org.tensorflow.types.TString;

/**
 * Answers requests to one saved model until its input ends, as a model server does: it loads the model with
 * TensorFlow's C++ loader and runs signatures. Argument: the model's folder. The protocol is of calls and answers in
 * Java's data streams, see test_java_loader.py.
 */
public class Loader {
  public static void main(String[] arguments) throws IOException {
    DataInputStream in = new DataInputStream(System.in);
    DataOutputStream out = new DataOutputStream(System.out);
    try (SavedModelBundle model = SavedModelBundle.load(arguments[0], "serve")) {
      out.writeUTF(TensorFlow.version());
      out.flush();
      while (true) {
        String signature;
        try {
          signature = in.readUTF();
        } catch (EOFException end) {
          return;
        }
        String output = in.readUTF();
        Map<String, Tensor> inputs = new HashMap<>();
        for (int left = in.readInt(); left > 0; left--) {
          inputs.put(in.readUTF(), read(in));
        }
        try (Result result = model.function(signature).call(inputs)) {
          out.writeUTF("");
          write(result.get(output).get(), out);
        } catch (TensorFlowException | IllegalArgumentException error) { // the latter is an InvalidArgument of the graph
          String message = String.valueOf(error.getMessage());
          out.writeUTF(message.substring(0, Math.min(message.length(), 2000)));
        }
        out.flush();
      }
    }
  }

  /** A tensor: its type (f, i or s), its shape, its values. */
  private static Tensor read(DataInputStream in) throws IOException {
    char type = in.readChar();
    long[] sizes = new long[in.readInt()];
    int count = 1;
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = in.readInt();
      count *= (int) sizes[i];
    }
    Shape shape = Shape.of(sizes);
    if (type == 'f') {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = in.readFloat();
      }
      return TFloat32.tensorOf(shape, DataBuffers.of(values));
    }
    if (type == 'i') {
      long[] values = new long[count];
      for (int i = 0; i < count; i++) {
        values[i] = in.readLong();
      }
      return TInt64.tensorOf(shape, DataBuffers.of(values));
    }
    NdArray<byte[]> texts = NdArrays.ofObjects(byte[].class, shape);
    for (int i = 0; i < count; i++) {
      byte[] text = new byte[in.readInt()];
      in.readFully(text);
      texts.setObject(text, i);
    }
    return TString.tensorOfBytes(texts);
  }

  private static void write(Tensor tensor, DataOutputStream out) throws IOException {
    if (tensor instanceof TString) {
      TString texts = (TString) tensor;
      out.writeChar('s');
      out.writeInt(1);
      out.writeInt((int) texts.size());
      for (NdArray<byte[]> text : texts.asBytes().scalars()) {
        byte[] bytes = text.getObject();
        out.writeInt(bytes.length);
        out.write(bytes);
      }
      return;
    }
    TFloat32 numbers = (TFloat32) tensor;
    out.writeChar('f');
    out.writeInt(numbers.shape().numDimensions());
    for (long size : numbers.shape().asArray()) {
      out.writeInt((int) size);
    }
    numbers.scalars().forEach(
        value -> {
          try {
            out.writeFloat(value.getFloat());
          } catch (IOException error) {
            throw new java.io.UncheckedIOException(error);
          }
        });
  }
}
