"""A scene rendered by Blender's Cycles, from the package `bpy` (GPL; a tool of the lab that nothing else imports)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.people.mesh import Points
from lab.people.scene import Coloured, Light, Scene, as_float32
from lab.people.strands import Strands
from zoom_engine.common.errors import ConfigError, imported

SIZE, SAMPLES = 128, 3
DISTANCE, LENS = 1.9, 250.0  # metres, millimetres of a sensor of 36


class Cycles:
    """Blender with one scene whose meshes are changed in place from picture to picture."""

    def __init__(self, *, samples: int = SAMPLES, size: int = SIZE) -> None:
        """Start Blender inside this process; one thread renders.

        Raises:
            ConfigError: `bpy` is not installed.
        """
        with _silent():
            bpy = imported("bpy", ConfigError, "People are rendered by Blender's Cycles", install="bpy==5.0.0")
        self.bpy: Any = bpy
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene: Any = bpy.context.scene
        self._settings(samples, size)
        self.materials = {
            "skin": self._skin(),
            "eyes": self._coloured("eyes", roughness=0.22, coat=1.0),
            "mouth": self._coloured("mouth", roughness=0.24, coat=0.3),
            "clothes": self._coloured("clothes", roughness=0.92, sheen=0.35),
            "headscarf": self._coloured("headscarf", roughness=0.85, sheen=0.4),
            "hat": self._coloured("hat", roughness=0.95, sheen=0.5),
            "frame": self._coloured("frame", roughness=0.25, coat=0.4),
            "clear_lenses": self._lens("clear_lenses", 0.97),
            "dark_lenses": self._lens("dark_lenses", 0.035),
        }
        self.hairs = {name: self._hair(name) for name in ("hair", "beard", "brows")}
        self.objects: dict[str, Any] = {}
        self.camera = self._camera()
        self.key, self.world = self._lights()
        self.file = Path(tempfile.mkdtemp(prefix="people-")) / "picture.png"

    def render(self, scene: Scene) -> NDArray[np.uint8]:
        """Render a scene, uint8 `[size, size, 4]`; what is behind it is transparent."""
        for name in ("skin", "eyes", "mouth", "clothes"):
            self._show(name, getattr(scene, name))
        for name in ("headscarf", "hat", "frame", "clear_lenses", "dark_lenses"):
            if name in scene.worn:
                self._show(name, scene.worn[name])
            else:
                self._hide(name)
        for name, strands, colour in (
            ("hair", scene.hair, scene.hair_colour),
            ("beard", scene.beard, scene.beard_colour),
            ("brows", scene.brows, scene.brow_colour),
        ):
            self._strands(name, strands, colour)
        self._light(scene.light)
        with _silent():
            self.bpy.ops.render.render(write_still=True)
        with Image.open(self.file) as picture:
            return np.asarray(picture.convert("RGBA")).copy()

    def _settings(self, samples: int, size: int) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        cycles = scene.cycles
        cycles.device, cycles.samples, cycles.seed = "CPU", samples, 1
        cycles.use_adaptive_sampling = cycles.use_light_tree = False  # there is one light
        cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
        cycles.denoising_prefilter = "NONE"
        cycles.denoising_quality = "BALANCED"
        cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 2, 1, 2
        cycles.transmission_bounces, cycles.transparent_max_bounces = 2, 6
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect, cycles.sample_clamp_direct = 3.0, 12.0
        scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 0
        render = scene.render
        render.threads_mode, render.threads = "FIXED", 1
        render.resolution_x = render.resolution_y = size
        render.resolution_percentage = 100
        render.film_transparent = True
        render.use_persistent_data = True
        render.filter_size = 1.3
        render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
        render.image_settings.color_depth, render.image_settings.compression = "8", 0
        cycles.film_transparent_glass = True
        scene.view_settings.view_transform = "Filmic"
        scene.view_settings.look = "Medium High Contrast"

    def _material(self, name: str) -> tuple[Any, Any]:
        material = self.bpy.data.materials.new(name)
        with contextlib.suppress(AttributeError):
            material.use_nodes = True
        tree = material.node_tree
        tree.nodes.clear()
        return material, tree

    def _surface(self, name: str) -> tuple[Any, Any, Any]:
        material, tree = self._material(name)
        out = tree.nodes.new("ShaderNodeOutputMaterial")
        principled = tree.nodes.new("ShaderNodeBsdfPrincipled")
        tree.links.new(principled.outputs[0], out.inputs[0])
        colour = tree.nodes.new("ShaderNodeAttribute")
        colour.attribute_name = "tint"
        tree.links.new(colour.outputs["Color"], principled.inputs["Base Color"])
        return material, tree, principled

    def _coloured(self, name: str, *, roughness: float, coat: float = 0.0, sheen: float = 0.0) -> Any:
        material, _, principled = self._surface(name)
        principled.inputs["Roughness"].default_value = roughness
        principled.inputs["Coat Weight"].default_value = coat
        principled.inputs["Coat Roughness"].default_value = 0.03
        principled.inputs["Sheen Weight"].default_value = sheen
        return material

    def _skin(self) -> Any:
        material, tree, principled = self._surface("skin")
        principled.subsurface_method = "BURLEY"
        principled.inputs["Subsurface Weight"].default_value = 0.75
        principled.inputs["Subsurface Scale"].default_value = 0.0028
        principled.inputs["Subsurface Radius"].default_value = (1.0, 0.5, 0.32)
        principled.inputs["Specular IOR Level"].default_value = 0.42
        rough = tree.nodes.new("ShaderNodeAttribute")
        rough.attribute_name = "rough"
        tree.links.new(rough.outputs["Fac"], principled.inputs["Roughness"])
        height = tree.nodes.new("ShaderNodeAttribute")
        height.attribute_name = "height"
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value = 1.0
        bump.inputs["Distance"].default_value = 1.0
        tree.links.new(height.outputs["Fac"], bump.inputs["Height"])
        tree.links.new(bump.outputs[0], principled.inputs["Normal"])
        return material

    def _lens(self, name: str, passing: float) -> Any:
        material, tree = self._material(name)
        out = tree.nodes.new("ShaderNodeOutputMaterial")
        mix = tree.nodes.new("ShaderNodeMixShader")
        clear = tree.nodes.new("ShaderNodeBsdfTransparent")
        clear.inputs[0].default_value = (passing, passing, passing, 1.0)
        gloss = tree.nodes.new("ShaderNodeBsdfGlossy")
        gloss.inputs["Roughness"].default_value = 0.3  # sharper ones glitter at few samples
        facing = tree.nodes.new("ShaderNodeFresnel")
        facing.inputs[0].default_value = 1.18
        tree.links.new(facing.outputs[0], mix.inputs[0])
        tree.links.new(clear.outputs[0], mix.inputs[1])
        tree.links.new(gloss.outputs[0], mix.inputs[2])
        tree.links.new(mix.outputs[0], out.inputs[0])
        return material

    def _hair(self, name: str) -> tuple[Any, Any]:
        material, tree = self._material(name)
        out = tree.nodes.new("ShaderNodeOutputMaterial")
        # Light that a strand throws back and light that comes through it: cheaper than the principled hair, whose
        # colours at few bounces are not the ones that it is given.
        hair = tree.nodes.new("ShaderNodeMixShader")
        info = tree.nodes.new("ShaderNodeHairInfo")
        spread = tree.nodes.new("ShaderNodeMapRange")
        spread.inputs["To Min"].default_value, spread.inputs["To Max"].default_value = 0.65, 1.35
        tint = tree.nodes.new("ShaderNodeVectorMath")
        tint.operation = "SCALE"
        tree.links.new(info.outputs["Random"], spread.inputs["Value"])
        tree.links.new(spread.outputs[0], tint.inputs["Scale"])
        for place, component in ((1, "Reflection"), (2, "Transmission")):
            half = tree.nodes.new("ShaderNodeBsdfHair")
            half.component = component
            half.inputs["RoughnessU"].default_value, half.inputs["RoughnessV"].default_value = 0.3, 0.8
            tree.links.new(tint.outputs[0], half.inputs["Color"])
            tree.links.new(half.outputs[0], hair.inputs[place])
        tree.links.new(hair.outputs[0], out.inputs[0])
        return material, tint.inputs[0]

    def _camera(self) -> Any:
        data = self.bpy.data.cameras.new("camera")
        data.lens, data.sensor_width = LENS, 36.0
        camera = self.bpy.data.objects.new("camera", data)
        camera.location, camera.rotation_euler = (0.0, -DISTANCE, -0.022), (np.pi / 2, 0.0, 0.0)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera
        return camera

    def _lights(self) -> tuple[Any, Any]:
        data = self.bpy.data.lights.new("key", "AREA")
        data.size = 0.7
        key = self.bpy.data.objects.new("key", data)
        self.scene.collection.objects.link(key)
        world = self.bpy.data.worlds.new("around")
        self.scene.world = world
        # It is so even that a map of where it is bright, made anew for each picture, costs more than it helps.
        world.cycles.sampling_method = "NONE"
        with contextlib.suppress(AttributeError):
            world.use_nodes = True
        return key, self._sky(world.node_tree)

    def _sky(self, tree: Any) -> Any:
        """Make what is around brighter above than below; return the socket of its colour."""
        place = tree.nodes.new("ShaderNodeTexCoord")
        split = tree.nodes.new("ShaderNodeSeparateXYZ")
        level = tree.nodes.new("ShaderNodeMapRange")
        level.inputs["From Min"].default_value, level.inputs["From Max"].default_value = -1.0, 1.0
        level.inputs["To Min"].default_value, level.inputs["To Max"].default_value = 0.35, 1.65
        tint = tree.nodes.new("ShaderNodeVectorMath")
        tint.operation = "SCALE"
        tree.links.new(place.outputs["Generated"], split.inputs[0])
        tree.links.new(split.outputs["Z"], level.inputs["Value"])
        tree.links.new(level.outputs[0], tint.inputs["Scale"])
        tree.links.new(tint.outputs[0], tree.nodes["Background"].inputs[0])
        return tint.inputs[0]

    def _light(self, light: Light) -> None:
        x, y, z = light.place
        self.key.location = (x, -z, y)
        # It shines down and is turned to the face, at the origin.
        self.key.rotation_euler = (np.arccos(y / np.linalg.norm(light.place)), 0.0, np.arctan2(x, z))
        self.key.data.energy = light.watts
        self.key.data.color = tuple(light.colour)
        self.world.default_value = tuple(light.around)
        self.scene.view_settings.exposure = light.stops
        self.scene.render.filepath = str(self.file)

    def _show(self, name: str, thing: Coloured) -> None:
        points, quads = thing.shell
        shown = self.objects.get(name)
        if shown is None or len(shown.data.vertices) != len(points):
            self._hide(name)
            shown = self._mesh(name, len(points), quads)
        mesh = shown.data
        mesh.vertices.foreach_set("co", as_float32(points))
        tint = np.ones((len(points), 4), dtype=np.float32)
        tint[:, :3] = thing.colour
        mesh.attributes["tint"].data.foreach_set("color", tint.reshape(-1))
        for attribute, values in (("rough", thing.roughness), ("height", thing.height)):
            if values is not None:
                mesh.attributes[attribute].data.foreach_set("value", values.astype(np.float32))
        mesh.update()

    def _mesh(self, name: str, count: int, quads: NDArray[np.int64]) -> Any:
        mesh = self.bpy.data.meshes.new(name)
        mesh.vertices.add(count)
        mesh.loops.add(quads.size)
        mesh.loops.foreach_set("vertex_index", quads.astype(np.int32).reshape(-1))
        mesh.polygons.add(len(quads))
        mesh.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
        mesh.polygons.foreach_set("use_smooth", np.ones(len(quads), dtype=bool))
        mesh.update(calc_edges=True)
        mesh.attributes.new("tint", "FLOAT_COLOR", "POINT")
        for attribute in ("rough", "height") if name == "skin" else ():
            mesh.attributes.new(attribute, "FLOAT", "POINT")
        mesh.materials.append(self.materials[name])
        thing = self.bpy.data.objects.new(name, mesh)
        self.scene.collection.objects.link(thing)
        self.objects[name] = thing
        return thing

    def _hide(self, name: str) -> None:
        shown = self.objects.pop(name, None)
        if shown is not None:
            data = shown.data
            self.bpy.data.objects.remove(shown)
            (self.bpy.data.hair_curves if name in self.hairs else self.bpy.data.meshes).remove(data)

    def _strands(self, name: str, strands: Strands, colour: Points) -> None:
        self._hide(name)
        material, tint = self.hairs[name]
        tint.default_value = tuple(np.clip(colour, 0.002, 0.9))
        count, steps = strands.radii.shape
        if not count:
            return
        curves = self.bpy.data.hair_curves.new(name)
        curves.add_curves([steps] * count)
        curves.attributes["position"].data.foreach_set("vector", as_float32(strands.points))
        radius = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
        radius.data.foreach_set("value", strands.radii.astype(np.float32).reshape(-1))
        curves.materials.append(material)
        thing = self.bpy.data.objects.new(name, curves)
        self.scene.collection.objects.link(thing)
        self.objects[name] = thing


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what Blender prints out of the terminal, which it does below Python."""
    with open(os.devnull, "w") as sink:
        before = [os.dup(1), os.dup(2)]
        try:
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            yield
        finally:
            for number, saved in zip((1, 2), before, strict=True):
                os.dup2(saved, number)
                os.close(saved)
