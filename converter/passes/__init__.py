"""What exporters do and people write otherwise, as passes with a name and a way to undo them.

| pass | on | does | undone by |
|---|---|---|---|
| `storage.fold_storage` | the graph | what only unpacks a constant disappears | `Assembly.stored`, which writes it |
| `activations.split_activations` | the file | fused activations become operators | `activations.fuse_activations` |
| `fusions.FUSIONS` | a network | `padding`, `cropping`, `batch_norm`: two nodes become one | `fusions.unfuse` |

Padding as pixels, which a kind's node has, and as a mode: `converter.ops.forms.padding`, in either direction.
"""
