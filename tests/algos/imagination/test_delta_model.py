import dataclasses

import pytest
import torch
from torch import Tensor, nn

from algos.core.replay import Layout
from algos.imagination.delta_model import DynamicsFit, DynamicsModel, ModelConfig, clip_gradients
from algos.imagination.demonstrations import Demonstrations

CPU = torch.device("cpu")
LAYOUT = Layout(3, 3)
CONFIG = ModelConfig(
    model_epochs=4,
    model_batch=16,
    model_hidden=(32, 32),
    model_learning_rate=3e-3,
    model_weight_decay=1e-5,
    model_gradient_clip=2.0,
)


def demonstrations(count: int = 50) -> Demonstrations:
    """s' = s + a, up to a little noise."""
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(count, 3, generator=generator)
    action = torch.rand(count, 3, generator=generator) * 2 - 1
    after = state + action + 0.001 * torch.randn(count, 3, generator=generator)
    rows = LAYOUT.pack(state, action, torch.zeros(count), after, torch.zeros(count))
    return Demonstrations((0,), [rows], LAYOUT)


def fit(config: ModelConfig = CONFIG, data: Demonstrations | None = None) -> DynamicsFit:
    return DynamicsFit(config, data or demonstrations(), LAYOUT, 1, (0,), "float32", CPU)


def sequential(model: DynamicsModel) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in zip(model.network.weights, model.network.biases, strict=True):
        linear = nn.Linear(*weight.shape[2:])
        linear.weight.data, linear.bias.data = weight[0, 0].data.T.clone(), bias[0, 0, 0].clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("clip", [2.0, 0.05])
def test_steps_equal_those_of_plain_torch_layers_and_optimiser(clip: float) -> None:
    own = fit(dataclasses.replace(CONFIG, model_gradient_clip=clip))
    plain = sequential(own.model)
    adam = torch.optim.Adam(plain.parameters(), lr=3e-3, weight_decay=1e-5)
    batches = [LAYOUT.unpack(own.passes[0].take(step)) for step in range(8)]
    rows = LAYOUT.unpack(demonstrations().rows[0])
    changes = rows.next_observation - rows.observation
    mean, spread = changes.mean(dim=0), changes.std(dim=0, correction=0)
    norms = []
    for step, batch in enumerate(batches):
        output = plain(torch.cat([batch.observation, batch.action], dim=1)).clamp(-5, 5)
        true = ((batch.next_observation - batch.observation - mean) / spread).clamp(-5, 5)
        loss = (output - true).square().mean(dim=1).sqrt().mean()
        adam.zero_grad()
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(plain.parameters(), clip)))
        adam.step()
        own.step(slice(0, 1), [step])
        assert float(own.losses[0]) == pytest.approx(loss.item(), rel=1e-4)
    if clip < 1:
        assert max(norms) > clip  # the clip has acted
    for found, expected in zip(sequential(own.model).parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_gradients_are_clipped_run_by_run() -> None:
    parameters = [nn.Parameter(torch.zeros(3, 4, 2)), nn.Parameter(torch.zeros(3, 5))]
    before = [torch.randn(p.shape) * torch.tensor([0.01, 10.0, 3.0]).view(3, *[1] * (p.dim() - 1))
              for p in parameters]  # fmt: skip
    for parameter, gradient in zip(parameters, before, strict=True):
        parameter.grad = gradient.clone()
    clip_gradients(parameters, 2.0)

    def flat(run: int, tensors: list[Tensor]) -> Tensor:
        return torch.cat([each[run].flatten() for each in tensors])

    after = [p.grad for p in parameters if p.grad is not None]
    assert torch.equal(flat(0, after), flat(0, before))
    for run in (1, 2):
        assert float(flat(run, after).norm()) == pytest.approx(2.0, rel=1e-5)
        torch.testing.assert_close(
            flat(run, after), flat(run, before) * 2.0 / flat(run, before).norm()
        )


def test_it_learns_that_actions_move_the_state() -> None:
    config = dataclasses.replace(CONFIG, model_epochs=60, model_batch=32)
    own = fit(config, demonstrations(200))
    for step in range(own.passes[0].steps):
        own.step(slice(0, 1), [step])
    state = torch.zeros(1, 1, 50, 3)
    action = torch.rand(1, 1, 50, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    error = (own.model(state, action) - action).detach().square().mean().sqrt()
    assert float(error) < 0.1  # actions have a deviation of 0.58


def test_constant_entries_and_exact_predictions_leave_finite_gradients() -> None:
    data = demonstrations()
    batch = LAYOUT.unpack(data.rows[0])
    batch.next_observation.copy_(batch.observation + 0.5)
    own = fit(data=data)
    own.step(slice(0, 1), [0])
    assert all(bool(torch.isfinite(p).all()) for p in own.model.parameters())
    predicted = own.model(batch.observation[None, None], batch.action[None, None])
    torch.testing.assert_close(predicted[0, 0], batch.next_observation, atol=1e-4, rtol=0)
